import { createHash } from 'node:crypto';
import {
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LayersModel, SymbolicTensor, Tensor } from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exportRun, type ExportResult } from '../../export/export.ts';
import { modelOf } from '../../export/graph.ts';
import { ExportError, translate } from '../../export/layers.ts';
import { ParityError } from '../../export/parity.ts';
import { parseCard } from '../../reader/card.ts';
import { STRONG } from '../../training/augment.ts';
import { openBackend } from '../../training/backend.ts';
import type { TF } from '../../training/tensorflow.ts';
import { DataError, scanFolder, splitByPatient } from '../../training/dataset.ts';
import { prepareFilms } from '../../training/films.ts';
import { registerLayers } from '../../training/network.ts';
import { createRun, loadRun, type Run } from '../../training/run.ts';
import { DEFAULT_CONFIG, train } from '../../training/train.ts';
import { bellows } from '../cli/run.ts';
import { writePhantomFolder } from '../phantom-files.ts';
import { openTf, randomizeWeights } from './helpers.ts';
import { onnxChecker } from './onnx-checker.ts';

let dir: string;
let tf: TF;
/** A finished run whose films have moved to another folder since. */
let runDir: string;
let moved: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bellows-export-'));
  tf = await openTf();
  const data = join(dir, 'films');
  await writePhantomFolder(data, { normal: 20, pneumonia: 24, size: 96 });
  runDir = join(dir, 'run');
  await trainTinyRun(data);
  moved = join(dir, 'moved');
  await rename(data, moved);
  await writeFile(join(moved, 'NORMAL', 'IM-0003-0001.jpeg'), 'no picture any more');
});
afterAll(() => rm(dir, { recursive: true }));

async function trainTinyRun(data: string): Promise<void> {
  const { files } = await scanFolder(data);
  const split = splitByPatient(files, 0.3, 1);
  const config = {
    ...DEFAULT_CONFIG,
    data,
    epochs: 3,
    batch: 10,
    network: { ...DEFAULT_CONFIG.network, widths: [6, 8], blocks: [1, 1], dropout: 0 },
    optimizer: { ...DEFAULT_CONFIG.optimizer, learningRate: 1e-2, average: 0.5 },
    augment: { ...STRONG, erase: 0, cornerErase: 0, histogramSwap: 0 },
  };
  await createRun(runDir, config, split);
  const cache = process.env.BELLOWS_CACHE;
  process.env.BELLOWS_CACHE = join(dir, 'cache');
  const films = await prepareFilms(files);
  if (cache === undefined) delete process.env.BELLOWS_CACHE;
  else process.env.BELLOWS_CACHE = cache;
  const backend = await openBackend('wasm');
  await train(backend, { dir: runDir, config, split }, films, new AbortController().signal);
}

const exists = (path: string) =>
  readdir(path).then(
    () => true,
    () => false,
  );

describe('bellows export', () => {
  let out: string;
  let result: ExportResult;
  let stderr: string;

  it('says what to do when the films are no longer where they were, and writes nothing', async () => {
    out = join(runDir, 'export');
    const outcome = await bellows(['export', runDir]);
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toMatch(/None of the run's training films can be read .*--images/s);
    expect(await exists(out)).toBe(false);
  });

  it('writes both models and the card into a new folder in the run', async () => {
    const args = ['export', runDir, '--images', moved, '--model-name', 'tiny', '--json'];
    const outcome = await bellows(args);
    expect(outcome.stderr).toContain('Comparing the models');
    expect(outcome.code).toBe(0);
    result = JSON.parse(outcome.stdout) as ExportResult;
    stderr = outcome.stderr;
    expect(await readdir(out)).toEqual(['bellows-webgpu.onnx', 'bellows.onnx', 'card.json']);
    expect(await readdir(runDir)).not.toContainEqual(expect.stringContaining('.part'));
    expect((await stat(out)).mode & 0o777).toBe((await stat(runDir)).mode & 0o777);
  });

  it('makes the same files again, and leaves others in the folder alone', async () => {
    const other = join(dir, 'shipped');
    await mkdir(other);
    await writeFile(join(other, 'README.md'), 'kept');
    await writeFile(join(other, 'bellows.onnx'), 'an older model');
    const outcome = await bellows(['export', runDir, '--images', moved, '--out', other]);
    expect(outcome.stdout).toMatch(/^bellows-\d{4}\.\d\d\.\d\d written to /);
    expect(await readFile(join(other, 'README.md'), 'utf8')).toBe('kept');
    for (const file of ['bellows.onnx', 'bellows-webgpu.onnx']) {
      expect(await readFile(join(other, file))).toEqual(await readFile(join(out, file)));
    }
    expect(await readdir(dir)).not.toContainEqual(expect.stringContaining('.part'));
  });

  it('names and counts a film that can not be read, and goes on without it', async () => {
    const path = join(moved, 'NORMAL', 'IM-0003-0001.jpeg');
    expect(result.unreadable.map((file) => file.path)).toEqual([path]);
    expect(stderr).toContain(`Skipped ${path}`);
  });

  it('describes the files in the card: hash, size, parity, metrics, limits', async () => {
    const card = parseCard(JSON.parse(await readFile(join(out, 'card.json'), 'utf8')));
    for (const { file, sha256, bytes } of Object.values(card.files)) {
      const content = await readFile(join(out, file));
      expect(createHash('sha256').update(content).digest('hex')).toBe(sha256);
      expect(content.length).toBe(bytes);
    }
    const { split, operatingPoint, calibration, summary } = await loadRun(tf, runDir);
    const unreadable = split.validation.some(({ path }) => path.includes('IM-0003'));
    expect(card.parity.images).toBe(split.validation.length - (unreadable ? 1 : 0));
    expect(card.parity.fp32MaxLogitDifference).toBeLessThan(1e-3);
    expect(card.metrics['held-out patients']).toMatchObject({
      n: card.parity.images,
      threshold: operatingPoint.threshold,
      auc: { value: card.parity.int8Auc },
    });
    expect(card).toMatchObject({ name: 'tiny', operatingPoint, calibration, training: summary });
    expect(card.limits.join(' ')).toMatch(/never a diagnosis.*0\.93 to 0\.65.*e0000713/s);
    expect(Date.parse(card.date)).toBeGreaterThan(Date.now() - 600_000);
  });

  it.each(['bellows.onnx', 'bellows-webgpu.onnx'])(
    'writes a %s that `bellows read` takes, with the answer of the trained network',
    async (file) => {
      const film = join(moved, 'PNEUMONIA', 'person1_bacteria_1.jpeg');
      const { code, stdout, stderr } = await bellows([
        ...['read', '--json', '--model', join(out, file), film],
      ]);
      expect(stderr).toBe('');
      expect(code).toBe(0);
      const { probability } = JSON.parse(stdout) as { probability: number };
      expect(Math.abs(probability - (await trainedProbability(film)))).toBeLessThan(0.02);
    },
  );

  /** The same film by TF.js: decoded, resized and cropped by the trainer's own code. */
  async function trainedProbability(path: string): Promise<number> {
    const { centralCrop, decodeFilms } = await import('../../export/films.ts');
    const { model, calibration } = await loadRun(tf, runDir);
    for await (const { square } of decodeFilms([{ path, label: 1, patient: '' }], () => {})) {
      const x = tf.tensor4d(centralCrop(square), [1, 192, 192, 1]);
      const [raw] = (model.predict(x) as Tensor[])[0]!.dataSync();
      return 1 / (1 + Math.exp(-(calibration.slope * raw! + calibration.offset)));
    }
    throw new Error(`${path} can not be read.`);
  }

  it('passes the official ONNX checker', { timeout: 240_000 }, async ({ skip }) => {
    const check = await onnxChecker();
    if ('missing' in check) return skip(`No ONNX checker: ${check.missing}`);
    const run = await loadRun(tf, runDir);
    await writeFile(join(dir, 'fp32.onnx'), modelOf(translate(run.model, run.calibration)));
    await check(join(dir, 'fp32.onnx'));
    await check(join(out, 'bellows.onnx'));
    await check(join(out, 'bellows-webgpu.onnx'));
    // A checker that takes everything would prove nothing.
    await writeFile(
      join(dir, 'broken.onnx'),
      (await readFile(join(out, 'bellows.onnx'))).subarray(0, -40),
    );
    await expect(check(join(dir, 'broken.onnx'))).rejects.toThrow();
  });

  it('refuses a layer it does not know by name, with exit code 1 and nothing written', async () => {
    const odd = join(dir, 'odd-run');
    await cp(runDir, odd, { recursive: true });
    await rm(join(odd, 'export'), { recursive: true });
    const topology = join(odd, 'model', 'model.json');
    const text = await readFile(topology, 'utf8');
    await writeFile(topology, text.replace('"max_value": null', '"max_value": 6'));
    const { code, stderr } = await bellows(['export', odd, '--images', moved]);
    expect(stderr).toMatch(/does not support the layer "stem1_relu" \(ReLU\)/);
    expect(code).toBe(1);
    expect(await exists(join(odd, 'export'))).toBe(false);
  });

  it('ends with exit code 1 for an unfinished run, 2 for a folder that is not there', async () => {
    const unfinished = join(dir, 'unfinished');
    await cp(runDir, unfinished, { recursive: true });
    await rm(join(unfinished, 'metrics.json'));
    const first = await bellows(['export', unfinished]);
    expect(first.stderr).toMatch(/not finished.*--resume/s);
    expect(first.code).toBe(1);
    expect((await bellows(['export', join(dir, 'nowhere')])).code).toBe(2);
  });
});

describe('exportRun', () => {
  const attempt = async (change: (run: Run) => Run): Promise<{ error: unknown; out: string }> => {
    const { relocate } = await import('../../export/films.ts');
    const run = await loadRun(tf, runDir);
    const split = {
      train: await relocate(run.split.train, moved),
      validation: await relocate(run.split.validation, moved),
    };
    const out = await mkdtemp(join(dir, 'attempt-'));
    const error = await exportRun({
      tf,
      run: change({ ...run, split }),
      out: join(out, 'export'),
      name: 'never',
      date: new Date(),
      version: '0',
    }).catch((reason: unknown) => reason);
    return { error, out };
  };

  /** A network with a layer that does something else than its class and configuration say. */
  function lyingNetwork(): LayersModel {
    const Rectifier = tf.layers.reLU().constructor as new (
      config: object,
    ) => InstanceType<typeof tf.layers.Layer>;
    class LeakyInSecret extends Rectifier {
      override call(inputs: Tensor | Tensor[]): Tensor {
        return tf.leakyRelu(Array.isArray(inputs) ? inputs[0]! : inputs, 0.05);
      }
    }
    const input = tf.input({ shape: [192, 192, 1] });
    let x = new (registerLayers(tf))({ epsilon: 1 }).apply(input);
    x = tf.layers.conv2d({ filters: 4, kernelSize: 3, strides: 4 }).apply(x);
    x = new LeakyInSecret({}).apply(x as SymbolicTensor);
    x = tf.layers.globalAveragePooling2d({}).apply(x);
    const logit = tf.layers.dense({ units: 1, name: 'logit' }).apply(x) as SymbolicTensor;
    const model = tf.model({ inputs: input, outputs: logit });
    randomizeWeights(tf, model, 1);
    return model;
  }

  it('writes nothing when the ONNX file does not say what TF.js says', async () => {
    const { error, out } = await attempt((run) => ({ ...run, model: lyingNetwork() }));
    expect(error).toBeInstanceOf(ParityError);
    expect((error as Error).message).toMatch(/differ by .* Nothing was written/);
    expect(await readdir(out)).toEqual([]);
  });

  it('refuses a network that reads images of another size', async () => {
    const input = tf.input({ shape: [64, 64, 1] });
    const x = tf.layers.flatten().apply(input);
    const logit = tf.layers.dense({ units: 1, name: 'logit' }).apply(x) as SymbolicTensor;
    const model = tf.model({ inputs: input, outputs: logit });
    const { error } = await attempt((run) => ({ ...run, model }));
    expect(error).toBeInstanceOf(ExportError);
    expect((error as Error).message).toMatch(/64 x 64 pixels.*192 x 192/s);
  });

  it('refuses a run without readable validation films', async () => {
    const { error, out } = await attempt((run) => ({
      ...run,
      split: { ...run.split, validation: [] },
    }));
    expect(error).toBeInstanceOf(DataError);
    expect(await readdir(out)).toEqual([]);
  });
});
