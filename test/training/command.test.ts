import { spawn } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bellows } from '../cli/run.ts';
import { writePhantomFolder } from '../phantom-files.ts';

const BIN = fileURLToPath(new URL('../../cli/bin.mjs', import.meta.url));

let dir: string;
let films: string;
let env: Record<string, string>;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bellows-command-'));
  films = join(dir, 'films');
  env = { BELLOWS_CACHE: join(dir, 'cache') };
  await writePhantomFolder(films, { normal: 12, pneumonia: 14, size: 96 });
});
afterAll(() => rm(dir, { recursive: true }));

const lines = (text: string) =>
  text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe('bellows train', () => {
  it('trains a few steps on tfjs-node, stops on Ctrl-C with a checkpoint, and goes on', async (test) => {
    const run = join(dir, 'run');
    const args = ['train', films, '--run', run, '--epochs', '3', '--batch', '8', '--backend'];
    const child = spawn(process.execPath, [BIN, ...args, 'tensorflow', '--json'], {
      env: { ...process.env, ...env },
    });
    let stderr = '';
    let stdout = '';
    child.stderr.on('data', (data: Buffer) => (stderr += data));
    child.stdout.on('data', (data: Buffer) => (stdout += data));
    // The first epoch has been reported: in the middle of the second, somebody presses Ctrl-C.
    child.stdout.once('data', () => child.kill('SIGINT'));
    const code = await new Promise((resolve) => child.on('close', resolve));
    if (/tfjs-node does not start/.test(stderr)) test.skip(stderr.trim());

    expect(code).toBe(1);
    expect(stderr).toContain('TensorFlow');
    expect(stderr).toMatch(/Stopped at step \d+ of 9\. Nothing is lost.*--resume/);
    expect(lines(stdout)[0]).toMatchObject({ epoch: 1 });
    expect(await readdir(run)).toContain('checkpoint.bin');

    const rest = await bellows(['train', '--resume', run, '--json'], env);
    expect(rest.code).toBe(0);
    const result = lines(rest.stdout).at(-1)!;
    expect(result).toMatchObject({ state: 'finished', run });
    expect((result.summary as { backend: string }).backend).toMatch(/^tfjs-node/);
  });

  it('says what is wrong with a folder, and with the way it was called', async () => {
    const one = join(dir, 'one-class');
    await writePhantomFolder(one, { normal: 2, pneumonia: 0, size: 96 });
    const empty = await bellows(['train', one], env);
    expect(empty).toMatchObject({ code: 1, stdout: '' });
    expect(empty.stderr).toMatch(/PNEUMONIA holds no JPEG or PNG file/);

    const none = await bellows(['train', dir], env);
    expect(none.code).toBe(1);
    expect(none.stderr).toMatch(/lacks the folder NORMAL and PNEUMONIA/);

    expect((await bellows(['train'], env)).code).toBe(2);
    expect((await bellows(['train', films, '--epochs', 'many'], env)).code).toBe(2);
    expect((await bellows(['train', join(dir, 'nowhere')], env)).code).toBe(2);
    const strange = await bellows(['train', '--resume', films], env);
    expect(strange.code).toBe(1);
    expect(strange.stderr).toMatch(/no run folder/);
  });
});

describe('bellows explore', () => {
  it('counts classes, patients, repeated films and label conflicts, and names what it can not read', async () => {
    const mixed = join(dir, 'mixed');
    const [first] = await writePhantomFolder(mixed, { normal: 3, pneumonia: 3, size: 96 });
    const { readFile } = await import('node:fs/promises');
    await writeFile(join(mixed, 'PNEUMONIA', 'copy.jpeg'), await readFile(first!));
    await writeFile(join(mixed, 'NORMAL', 'broken.jpeg'), '');
    await writeFile(join(mixed, 'NORMAL', '.DS_Store'), 'x');
    const { code, stdout } = await bellows(['explore', mixed, '--json'], env);
    expect(code).toBe(0);
    const [report] = lines(stdout);
    expect(report).toMatchObject({
      classes: { NORMAL: { images: 3, patients: 3 }, PNEUMONIA: { images: 4, patients: 4 } },
      conflicts: [[first, join(mixed, 'PNEUMONIA', 'copy.jpeg')]],
      skipped: [],
    });
    expect((report!.unreadable as { path: string }[])[0]!.path).toContain('broken.jpeg');
    expect((await bellows(['explore', mixed], env)).stdout).toMatch(/Label conflict/);
  });
});
