import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { drawPhantom } from '../../reader/phantom.ts';
import { encodeJpeg, filmJpeg, filmPng } from '../phantom-files.ts';
import { colourPhoto } from '../reader/film-files.ts';
import { writeTinyModel } from '../tiny-model.ts';
import { bellows } from './run.ts';

interface Line {
  file: string;
  verdict: string;
  probability: number | null;
  reasons: string[];
  ms: number;
}

let dir: string;
let model: string;
const path = (name: string) => join(dir, name);

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bellows-read-'));
  model = await writeTinyModel(path('model'));
  const draw = (consolidation: number) =>
    drawPhantom({ width: 229, height: 200, seed: 5, consolidation });
  const ill = await filmJpeg(draw(1));
  await writeFile(path('healthy.png'), filmPng(draw(0)));
  await writeFile(path('ill.jpeg'), ill);
  await writeFile(path('cut.jpeg'), ill.subarray(0, ill.length >> 1));
  await writeFile(path('empty.jpeg'), '');
  await writeFile(path('text.jpeg'), 'not an image');
  await writeFile(path('photo.jpeg'), await encodeJpeg(colourPhoto(300, 200)));
  await mkdir(path('folder'));
});

afterAll(() => rm(dir, { recursive: true, force: true }));

async function readJson(names: string[]): Promise<{ code: number; lines: Line[]; stderr: string }> {
  const { code, stdout, stderr } = await bellows([
    'read',
    '--json',
    '--model',
    model,
    ...names.map(path),
  ]);
  const lines = stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Line);
  return { code, lines, stderr };
}

describe('bellows read', () => {
  it('gives one JSON object a line, in order, with exactly the keys of the contract', async () => {
    const { code, lines } = await readJson(['healthy.png', 'ill.jpeg']);
    expect(code).toBe(0);
    expect(lines.map(({ file }) => file)).toEqual([path('healthy.png'), path('ill.jpeg')]);
    expect(lines.map(({ verdict }) => verdict)).toEqual(['no-pneumonia', 'pneumonia']);
    for (const line of lines) {
      expect(Object.keys(line)).toEqual(['file', 'verdict', 'probability', 'reasons', 'ms']);
      expect(line.reasons).toEqual([]);
      expect(line.probability).toBeGreaterThanOrEqual(0);
      expect(line.probability).toBeLessThanOrEqual(1);
      expect(line.ms).toBeGreaterThan(0);
    }
  });

  it('refuses what it can not read, with the reason, and goes on', async () => {
    const names = ['cut.jpeg', 'empty.jpeg', 'text.jpeg', 'missing.jpeg', 'folder', 'ill.jpeg'];
    const { code, lines } = await readJson(names);
    expect(code).toBe(0);
    expect(lines.map(({ verdict }) => verdict)).toEqual([...Array(5).fill('refused'), 'pneumonia']);
    expect(lines.slice(0, 5).map(({ probability }) => probability)).toEqual(Array(5).fill(null));
    const codes = lines.map(({ reasons }) => reasons.map((reason) => reason.split(':')[0]));
    expect(codes).toEqual([
      ['truncated'],
      ['empty-file'],
      ['not-an-image'],
      ['missing-file'],
      ['folder'],
      [],
    ]);
    expect(lines[0]!.reasons[0]).toBe(
      'truncated: The picture is cut off before its end. Copy it again from where it came.',
    );
  });

  it('refuses a colour photo but gives its probability', async () => {
    const { lines } = await readJson(['photo.jpeg']);
    expect(lines[0]!.verdict).toBe('refused');
    expect(lines[0]!.reasons[0]).toMatch(/^colour: /);
    expect(lines[0]!.probability).not.toBeNull();
  });

  it('fails only when no file could be opened at all', async () => {
    expect((await readJson(['cut.jpeg'])).code).toBe(0);
    const { code, lines } = await readJson(['missing.jpeg', 'folder']);
    expect(code).toBe(1);
    expect(lines).toHaveLength(2);
  });

  it('prints a table for people', async () => {
    const files = ['healthy.png', 'ill.jpeg', 'cut.jpeg'].map(path);
    const { code, stdout } = await bellows(['read', '--model', model, ...files]);
    expect(code).toBe(0);
    const [healthy, ill, cut] = stdout.split('\n');
    expect(healthy).toMatch(/^healthy\.png +no signs found +\d+\.\d % +\d+ ms$/);
    expect(ill).toMatch(/^ill\.jpeg +signs of pneumonia +\d+\.\d % +\d+ ms$/);
    expect(cut).toMatch(/^cut\.jpeg +not read +The picture is cut off/);
    expect(stdout).toContain('A second reading. You decide.');
  });

  it('stops before reading when the model has a flipped byte', async () => {
    const bytes = await readFile(model);
    bytes[bytes.length >> 1]! ^= 1;
    await mkdir(path('flipped'), { recursive: true });
    await writeFile(path('flipped/bellows.onnx'), bytes);
    await writeFile(path('flipped/card.json'), await readFile(path('model/card.json')));
    const { code, stdout, stderr } = await bellows([
      'read',
      '--json',
      '--model',
      path('flipped/bellows.onnx'),
      path('ill.jpeg'),
    ]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^bellows: The model file .* damaged .*\n$/);
  });

  it('asks for the card that is missing or damaged', async () => {
    await mkdir(path('bare'), { recursive: true });
    await writeFile(path('bare/bellows.onnx'), await readFile(model));
    const read = () => bellows(['read', '--model', path('bare/bellows.onnx'), path('ill.jpeg')]);
    const missing = await read();
    expect(missing.code).toBe(1);
    expect(missing.stderr).toContain('There is no card.json beside');
    await writeFile(path('bare/card.json'), '{"format": 1');
    expect((await read()).stderr).toContain('is no JSON');
    await writeFile(path('bare/card.json'), '{"format": 1}');
    expect((await read()).stderr).toContain('The model card lacks files.wasm.sha256');
  });

  it('stops when the model fails its self-test', async () => {
    const card = JSON.parse(await readFile(path('model/card.json'), 'utf8'));
    card.selfTest.logit.wasm += 1;
    await mkdir(path('wrong'), { recursive: true });
    await writeFile(path('wrong/bellows.onnx'), await readFile(model));
    await writeFile(path('wrong/card.json'), JSON.stringify(card));
    const { code, stderr } = await bellows([
      'read',
      '--model',
      path('wrong/bellows.onnx'),
      path('ill.jpeg'),
    ]);
    expect(code).toBe(1);
    expect(stderr).toContain('fails its self-test: its logit is off by 1.00');
  });
});
