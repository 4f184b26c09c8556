import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { evaluateScores } from '../../reader/metrics.ts';
import { encodeJpeg, writePhantomFolder } from '../phantom-files.ts';
import { colourPhoto } from '../reader/film-files.ts';
import { writeTinyModel } from '../tiny-model.ts';
import { bellows } from './run.ts';

const KEYS = [
  'n',
  'auc',
  'accuracy',
  'sensitivity',
  'specificity',
  'brier',
  'ece',
  'threshold',
  'confusion',
  'refused',
];

let dir: string;
let model: string;
const path = (name: string) => join(dir, name);

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bellows-evaluate-'));
  model = await writeTinyModel(path('model'));
  await writePhantomFolder(path('clean'), { normal: 8, pneumonia: 10, size: 120 });
});

afterAll(() => rm(dir, { recursive: true, force: true }));

const evaluate = (folder: string, ...more: string[]) =>
  bellows(['evaluate', path(folder), '--model', model, ...more]);

describe('bellows evaluate', () => {
  it('gives the JSON contract, and the per-image table agrees with it', async () => {
    const { code, stdout } = await evaluate('clean', '--json', '--per-image', path('films.csv'));
    expect(code).toBe(0);
    const result = JSON.parse(stdout);
    expect(Object.keys(result)).toEqual(KEYS);
    expect(result).toMatchObject({ n: 18, refused: 0, threshold: 0.5 });
    expect(Object.keys(result.confusion)).toEqual(['tp', 'fp', 'tn', 'fn']);
    for (const name of KEYS.slice(1, 7)) {
      expect(Object.keys(result[name])).toEqual(['value', 'low', 'high']);
    }
    expect(result.auc.value).toBeGreaterThan(0.9);

    const [header, ...rows] = (await readFile(path('films.csv'), 'utf8')).trim().split('\r\n');
    expect(header).toBe('file,label,probability,verdict,positive,reasons,ms');
    const cells = rows.map((row) => row.split(','));
    const probabilities = cells.map((cell) => Number(cell[2]));
    const labels = cells.map((cell) => Number(cell[1]));
    expect({ ...evaluateScores(probabilities, labels, 0.5), refused: 0 }).toEqual(result);
    expect(cells.map((cell) => cell[1] === '1')).toEqual(
      cells.map((cell) => basename(cell[0]!).startsWith('person')),
    );
  });

  it('finds the classes under test/, and prints a table', async () => {
    await cp(path('clean'), path('kaggle/test'), { recursive: true });
    const { code, stdout } = await evaluate('kaggle');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^18 films, model .* threshold 0\.5/);
    expect(stdout).toMatch(/sensitivity +\d+\.\d % +\(\d+\.\d to \d+\.\d\)/);
  });

  it('names, counts and leaves out what it can not read; counts what it would refuse', async () => {
    await cp(path('clean'), path('mixed'), { recursive: true });
    await writeFile(path('mixed/.DS_Store'), 'x');
    await writeFile(path('mixed/NORMAL/.DS_Store'), 'x');
    await writeFile(path('mixed/NORMAL/notes.txt'), 'x');
    await writeFile(path('mixed/NORMAL/IM-0004-0002.jpeg'), 'not an image');
    await writeFile(path('mixed/PNEUMONIA/person3_bacteria_9.jpeg'), '');
    await writeFile(
      path('mixed/NORMAL/IM-0005-0002.jpeg'),
      await encodeJpeg(colourPhoto(200, 150)),
    );
    const { code, stdout, stderr } = await evaluate('mixed', '--json');
    expect(code).toBe(0);
    const { n, refused, confusion } = JSON.parse(stdout);
    expect({ n, refused }).toEqual({ n: 19, refused: 3 });
    expect(confusion.tp + confusion.fn).toBe(10);
    expect(confusion.fp + confusion.tn).toBe(9);
    expect(stderr).toMatch(/Not read: .*IM-0004-0002\.jpeg: not-an-image/);
    expect(stderr).toMatch(/Not read: .*person3_bacteria_9\.jpeg: empty-file/);
    expect(stderr).toMatch(/Skipped .*notes\.txt/);
    expect(stderr).not.toContain('DS_Store');
  });

  it.each([
    ['a folder without the two classes', 'bare', [], 'lacks the folder NORMAL and PNEUMONIA'],
    ['a missing class', 'half', ['NORMAL'], 'lacks the folder PNEUMONIA'],
  ])('explains %s', async (_name, folder, classes, message) => {
    await mkdir(path(folder), { recursive: true });
    for (const name of classes)
      await cp(path(`clean/${name}`), path(`${folder}/${name}`), { recursive: true });
    const { code, stdout, stderr } = await evaluate(folder, '--json');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain(message);
  });

  it('explains an empty class', async () => {
    await cp(path('clean/NORMAL'), path('empty/NORMAL'), { recursive: true });
    await mkdir(path('empty/PNEUMONIA'), { recursive: true });
    const { code, stderr } = await evaluate('empty', '--json');
    expect(code).toBe(1);
    expect(stderr).toMatch(/PNEUMONIA holds no JPEG or PNG file/);
  });

  it('explains a class of which no film could be read', async () => {
    await cp(path('clean/NORMAL'), path('unread/NORMAL'), { recursive: true });
    await mkdir(path('unread/PNEUMONIA'), { recursive: true });
    await writeFile(path('unread/PNEUMONIA/person1_virus_1.jpeg'), 'x');
    const { code, stdout, stderr } = await evaluate('unread', '--json');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain('Not read: ');
    expect(stderr).toContain('All 8 films are normal.');
  });

  it('checks where the table goes before it reads a film', async () => {
    const { code, stderr } = await evaluate('clean', '--per-image', path('no/such/folder.csv'));
    expect(code).toBe(2);
    expect(stderr).toContain('The table can not be written');
    expect(stderr).not.toContain('Reading films');
  });
});
