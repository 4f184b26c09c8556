import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { causeOf, patientOf, scanFolder, splitByPatient } from '../../training/dataset.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bellows-'));
});
afterEach(() => rm(dir, { recursive: true }));

async function put(...paths: string[]): Promise<void> {
  for (const path of paths) {
    await mkdir(join(dir, path, '..'), { recursive: true });
    await writeFile(join(dir, path), 'x');
  }
}

describe('scanFolder', () => {
  it('lists both classes in name order, passes over dot files and names what is no image', async () => {
    await put('NORMAL/b.jpeg', 'NORMAL/a.PNG', 'NORMAL/.DS_Store', 'NORMAL/notes.txt');
    await put('PNEUMONIA/person1_virus_2.jpg');
    const { files, skipped } = await scanFolder(dir);
    expect(files.map(({ path, label }) => [path.slice(dir.length + 1), label])).toEqual([
      [join('NORMAL', 'a.PNG'), 0],
      [join('NORMAL', 'b.jpeg'), 0],
      [join('PNEUMONIA', 'person1_virus_2.jpg'), 1],
    ]);
    expect(skipped).toEqual([join(dir, 'NORMAL', 'notes.txt')]);
  });

  it('finds the classes under train/ and, for an evaluation, under test/', async () => {
    await put(
      'train/NORMAL/a.jpg',
      'train/PNEUMONIA/b.jpg',
      'test/NORMAL/c.jpg',
      'test/PNEUMONIA/d.jpg',
    );
    expect((await scanFolder(dir)).files[0]!.path).toContain(join('train', 'NORMAL'));
    expect((await scanFolder(dir, 'test')).files[0]!.path).toContain(join('test', 'NORMAL'));
  });

  it('says which class is missing or empty, and where it should be', async () => {
    await put('NORMAL/a.jpg');
    await expect(scanFolder(dir)).rejects.toThrow(/lacks the folder PNEUMONIA.*Put films/);
    await put('PNEUMONIA/.DS_Store');
    await expect(scanFolder(dir)).rejects.toThrow(/PNEUMONIA holds no JPEG or PNG/);
    await expect(scanFolder(join(dir, 'nowhere'))).rejects.toThrow(/can not be read/);
  });
});

describe('patients', () => {
  it.each([
    ['person12_bacteria_34.jpeg', 1, 'person12_bacteria'],
    ['person12_virus_56.jpeg', 1, 'person12_virus'],
    ['IM-0115-0001.jpeg', 0, 'IM-0115'],
    ['IM-0115-0001-0002.jpeg', 0, 'IM-0115'],
    ['NORMAL2-IM-0115-0001.jpeg', 0, 'NORMAL2-IM-0115'],
    ['clinic-7.png', 1, '1/clinic-7'],
  ] as const)('%s belongs to %s', (name, label, patient) => {
    expect(patientOf(name, label)).toBe(patient);
  });

  it('knows bacterial from viral by name alone', () => {
    expect([causeOf('person1_bacteria_1.jpeg'), causeOf('person1_virus_1.jpeg')]).toEqual([0, 1]);
    expect(causeOf('IM-0001-0001.jpeg')).toBeNull();
  });
});

describe('splitByPatient', () => {
  const films = Array.from({ length: 60 }, (_, i) => ({
    path: `${i}`,
    label: (i % 3 === 0 ? 0 : 1) as 0 | 1,
    patient: `p${i % 3 === 0 ? 0 : 1}-${Math.floor(i / 6)}`,
  }));

  it('keeps every patient on one side, and both classes on both', () => {
    const { train, validation } = splitByPatient(films, 0.2, 7);
    const seen = new Set(train.map(({ patient }) => patient));
    expect(validation.filter(({ patient }) => seen.has(patient))).toEqual([]);
    expect(new Set(validation.map(({ label }) => label)).size).toBe(2);
    expect(train.length + validation.length).toBe(60);
  });

  it('depends on the seed and not on the order of the files', () => {
    const names = (files: { path: string }[]) => files.map(({ path }) => path).sort();
    const split = splitByPatient(films, 0.2, 7);
    expect(names(splitByPatient([...films].reverse(), 0.2, 7).validation)).toEqual(
      names(split.validation),
    );
    expect(names(splitByPatient(films, 0.2, 8).validation)).not.toEqual(names(split.validation));
  });

  it('refuses a class that has films of one patient only', () => {
    const one = films.map((film) => (film.label === 0 ? { ...film, patient: 'only' } : film));
    expect(() => splitByPatient(one, 0.2, 7)).toThrow(/NORMAL has films of one patient only/);
  });
});
