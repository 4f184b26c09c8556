import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { STRONG } from '../../training/augment.ts';
import { type Backend, openBackend } from '../../training/backend.ts';
import { DataError, scanFolder, splitByPatient } from '../../training/dataset.ts';
import { type PreparedFilms, prepareFilms } from '../../training/films.ts';
import { createRun, loadRun, openRun, readLog, type TrainConfig } from '../../training/run.ts';
import { DEFAULT_CONFIG, train, type TrainOutcome } from '../../training/train.ts';
import { writePhantomFolder } from '../phantom-files.ts';

let dir: string;
let backend: Backend;
let films: PreparedFilms;
let split: ReturnType<typeof splitByPatient>;
let config: TrainConfig;
/** A run that nothing interrupted. */
let whole: Awaited<ReturnType<typeof run>>;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bellows-train-'));
  process.env.BELLOWS_CACHE = join(dir, 'cache');
  await writePhantomFolder(join(dir, 'films'), { normal: 30, pneumonia: 42, size: 96 });
  await writeFile(join(dir, 'films', 'PNEUMONIA', 'person5_virus_0.jpeg'), 'no picture at all');
  const { files } = await scanFolder(join(dir, 'films'));
  split = splitByPatient(files, 0.25, 3);
  films = await prepareFilms([...split.train, ...split.validation]);
  backend = await openBackend();
  config = {
    ...DEFAULT_CONFIG,
    data: join(dir, 'films'),
    seed: 3,
    epochs: 6,
    batch: 12,
    network: { ...DEFAULT_CONFIG.network, widths: [6, 8, 12], blocks: [1, 1, 1], dropout: 0 },
    optimizer: { ...DEFAULT_CONFIG.optimizer, learningRate: 1e-2, average: 0.8 },
    augment: { ...STRONG, histogramSwap: 0, erase: 0, cornerErase: 0, cornerMark: 0, noise: 0 },
    mixup: 0,
  };
});
afterAll(() => rm(dir, { recursive: true }));

const never = new AbortController().signal;

async function run(name: string, signal = never, stopAt?: { step: number; stop: AbortController }) {
  const folder = join(dir, name);
  await createRun(folder, config, split).catch((error) => {
    if (!(error instanceof DataError)) throw error;
  });
  const losses: number[] = [];
  const outcome = await train(backend, { dir: folder, config, split }, films, signal, {
    onStep: ({ step, loss }) => {
      losses.push(loss);
      if (step === stopAt?.step) stopAt.stop.abort();
    },
  });
  return { folder, outcome, losses };
}

function finished(outcome: TrainOutcome) {
  if (outcome.state !== 'finished') throw new Error('The run was stopped.');
  return outcome.metrics;
}

describe('train', () => {
  it('names an unreadable file, goes on without it and says so in the result', async () => {
    expect(films.unreadable.map(({ path }) => path)).toEqual([
      join(dir, 'films', 'PNEUMONIA', 'person5_virus_0.jpeg'),
    ]);
    expect(films.files).toHaveLength(72);
  });

  it('learns to tell the phantoms apart, logs every epoch, and loads again as it was', async () => {
    whole = await run('whole');
    const { folder, outcome } = whole;
    const metrics = finished(outcome);
    expect(metrics.validation.auc.value).toBeGreaterThan(0.8);
    expect(metrics.unreadable).toHaveLength(1);
    expect(metrics.summary.images.train + metrics.summary.images.validation).toBe(72);
    const log = await readLog(folder);
    expect(log.map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(log.at(-1)!.loss).toBeLessThan(log[0]!.loss);

    const loaded = await loadRun(backend.tf, folder);
    expect(loaded.operatingPoint).toEqual(metrics.operatingPoint);
    expect(loaded.model.outputNames.length).toBe(2);
    expect(loaded.summary.weights).toMatch(/^[0-9a-f]{64}$/);
  });

  it('goes on after a stop as if it had never stopped', async () => {
    const stop = new AbortController();
    const half = await run('stopped', stop.signal, { step: 15, stop });
    expect(half.outcome).toMatchObject({ state: 'stopped', step: 15 });
    await expect(loadRun(backend.tf, half.folder)).rejects.toThrow(/not finished.*--resume/);
    const rest = await run('stopped');
    const steps = [...half.losses, ...rest.losses];
    expect(steps).toHaveLength(whole.losses.length);
    // Threads add in any order, so not to the last bit.
    for (const [i, loss] of whole.losses.entries()) expect(steps[i]).toBeCloseTo(loss, 2);
    finished(rest.outcome);
  });

  it('refuses a folder that holds a run, one that holds none, and damaged weights', async () => {
    const { folder } = whole;
    await expect(createRun(folder, config, split)).rejects.toThrow(/already holds a run/);
    await expect(openRun(join(dir, 'films'))).rejects.toThrow(/no run folder/);
    const weights = join(folder, 'model', 'weights.bin');
    const bytes = await readFile(weights);
    bytes[100]! ^= 1;
    await writeFile(weights, bytes);
    await expect(loadRun(backend.tf, folder)).rejects.toThrow(/damaged/);
  });
});

describe('prepareFilms', () => {
  it('refuses a class without a single readable film', async () => {
    const bad = films.unreadable[0]!.path;
    const files = films.files.filter(({ label }) => label === 0);
    await expect(prepareFilms([...files, { path: bad, label: 1, patient: 'x' }])).rejects.toThrow(
      /No film in PNEUMONIA\/ can be read.*not a picture/,
    );
  });
});
