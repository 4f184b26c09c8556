import { createHash } from 'node:crypto';
import { appendFile, mkdir, open, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LayersModel, Tensor, io } from '@tensorflow/tfjs';
import type { Metrics, ModelCard } from '../reader/card.ts';
import type { AugmentConfig } from './augment.ts';
import type { TF } from './tensorflow.ts';
import { DataError, type LabelledFile } from './dataset.ts';
import { type NetworkConfig, registerLayers } from './network.ts';
import type { OptimizerConfig } from './optimizer.ts';

/** Everything that decides a run: saved with it, so that it can be repeated. */
export interface TrainConfig {
  /** Folder of the films. */
  data: string;
  seed: number;
  epochs: number;
  batch: number;
  /** Share of the patients held out for validation. */
  validationShare: number;
  network: NetworkConfig;
  optimizer: OptimizerConfig;
  augment: AugmentConfig;
  /** How far the targets stay from 0 and 1. */
  labelSmoothing: number;
  /** Parameter of the Beta distribution of mixup (Zhang et al. 2018); 0 turns it off. */
  mixup: number;
  /** Weight of the bacterial/viral loss. */
  auxiliary: number;
  /** Sensitivity the operating point is set to, under stress. */
  sensitivity: number;
}

/** One line of `log.jsonl`: an epoch. */
export interface EpochLog {
  epoch: number;
  loss: number;
  /** AUC of the averaged weights on held-out patients: films as they are, and under stress. */
  auc: number;
  stressAuc: number;
  imagesPerSecond: number;
  seconds: number;
}

/** What a finished run knows of itself: `metrics.json`. */
export interface RunMetrics {
  calibration: ModelCard['calibration'];
  operatingPoint: ModelCard['operatingPoint'];
  summary: ModelCard['training'];
  validation: Metrics;
  stress: Metrics;
  confident: { accuracy: number; uncertain: number };
  /** Files that could not be read, and why. */
  unreadable: { path: string; reason: string }[];
  peakMemoryBytes: number;
  seconds: number;
}

/** A finished run, loaded. */
export interface Run {
  dir: string;
  config: TrainConfig;
  model: LayersModel;
  calibration: ModelCard['calibration'];
  operatingPoint: ModelCard['operatingPoint'];
  split: { train: LabelledFile[]; validation: LabelledFile[] };
  summary: ModelCard['training'];
}

const FILES = {
  config: 'config.json',
  split: 'split.json',
  log: 'log.jsonl',
  metrics: 'metrics.json',
  checkpoint: 'checkpoint.bin',
  topology: join('model', 'model.json'),
  weights: join('model', 'weights.bin'),
};

/** Opens a new run folder. @throws DataError when it already holds a run. */
export async function createRun(dir: string, config: TrainConfig, split: Run['split']) {
  await mkdir(join(dir, 'model'), { recursive: true });
  const existing = await readFile(join(dir, FILES.config)).catch(() => null);
  if (existing) {
    throw new DataError(`${dir} already holds a run. Go on with --resume, or name another folder.`);
  }
  await writeJson(join(dir, FILES.config), config);
  await writeJson(join(dir, FILES.split), split);
}

/** Configuration and split of a run, finished or not. @throws DataError when there is none. */
export async function openRun(dir: string): Promise<Pick<Run, 'config' | 'split'>> {
  const read = async (file: string) => {
    const text = await readFile(join(dir, file), 'utf8').catch(() => {
      throw new DataError(
        `${dir} is no run folder: ${file} is missing. Start one: bellows train DIR`,
      );
    });
    return JSON.parse(text) as never;
  };
  return { config: await read(FILES.config), split: await read(FILES.split) };
}

/** Adds an epoch to the log. */
export async function logEpoch(dir: string, line: EpochLog): Promise<void> {
  await appendFile(join(dir, FILES.log), JSON.stringify(line) + '\n');
}

/** The log so far: empty before the first epoch's end. */
export async function readLog(dir: string): Promise<EpochLog[]> {
  const text = await readFile(join(dir, FILES.log), 'utf8').catch(() => '');
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as EpochLog);
}

/** Where training stands: enough to go on as if it had never stopped. */
export interface Checkpoint {
  /** Steps done. */
  step: number;
  /** Sum of the losses, and their number, since the epoch began. */
  lossSum: number;
  lossCount: number;
}

/**
 * Writes a checkpoint in one piece: a crash while writing leaves the last one whole.
 * @param tensors weights, averages and optimizer state, always in the same order.
 */
export async function writeCheckpoint(
  dir: string,
  checkpoint: Checkpoint,
  tensors: Tensor[],
): Promise<void> {
  const header = Buffer.from(JSON.stringify({ ...checkpoint, sizes: tensors.map((t) => t.size) }));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(header.length);
  const path = join(dir, FILES.checkpoint);
  const file = await open(`${path}.part`, 'w');
  await file.write(length);
  await file.write(header);
  for (const tensor of tensors) await file.write(Buffer.from((await tensor.data()).slice().buffer));
  await file.sync();
  await file.close();
  await rename(`${path}.part`, path);
}

/** The last checkpoint with its values in order, or null when training never reached one. */
export async function readCheckpoint(
  dir: string,
): Promise<{ checkpoint: Checkpoint; values: Float32Array[] } | null> {
  const bytes = await readFile(join(dir, FILES.checkpoint)).catch(() => null);
  if (!bytes) return null;
  const start = 4 + bytes.readUInt32LE(0);
  const { sizes, ...checkpoint } = JSON.parse(bytes.toString('utf8', 4, start)) as Checkpoint & {
    sizes: number[];
  };
  // A fresh buffer: floats must start at a multiple of four bytes.
  const floats = new Float32Array(new Uint8Array(bytes.subarray(start)).buffer);
  let at = 0;
  const values = sizes.map((size) => floats.subarray(at, (at += size)));
  if (at !== floats.length) {
    throw new DataError(`The checkpoint in ${dir} is damaged. Start the run again.`);
  }
  return { checkpoint, values };
}

/** Saves the finished network. @returns hex SHA-256 of its weights. */
export async function saveModel(tf: TF, dir: string, model: LayersModel): Promise<string> {
  let hash = '';
  await model.save(
    tf.io.withSaveHandler(async (artifacts) => {
      const weights = Buffer.from(tf.io.CompositeArrayBuffer.join(artifacts.weightData));
      hash = createHash('sha256').update(weights).digest('hex');
      await writeFile(join(dir, FILES.weights), weights);
      const topology = { ...artifacts, weightData: undefined };
      await writeJson(join(dir, FILES.topology), topology);
      return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' as const } };
    }),
  );
  return hash;
}

/** Writes what the run found: its last act, so a folder with `metrics.json` is a finished run. */
export async function finishRun(dir: string, metrics: RunMetrics): Promise<void> {
  await writeJson(join(dir, FILES.metrics), metrics);
}

/** Loads a finished run. @throws DataError when the training has not come to its end. */
export async function loadRun(tf: TF, dir: string): Promise<Run> {
  const { config, split } = await openRun(dir);
  const text = await readFile(join(dir, FILES.metrics), 'utf8').catch(() => {
    throw new DataError(`The run in ${dir} is not finished. Go on: bellows train --resume ${dir}`);
  });
  const { calibration, operatingPoint, summary } = JSON.parse(text) as RunMetrics;
  registerLayers(tf);
  const topology = JSON.parse(
    await readFile(join(dir, FILES.topology), 'utf8'),
  ) as io.ModelArtifacts;
  const weights = await readFile(join(dir, FILES.weights));
  const hash = createHash('sha256').update(weights).digest('hex');
  if (hash !== summary.weights) {
    throw new DataError(
      `${join(dir, FILES.weights)} is damaged: its SHA-256 is not the recorded one.`,
    );
  }
  const model = await tf.loadLayersModel(
    tf.io.fromMemory({ ...topology, weightData: new Uint8Array(weights).buffer }),
  );
  return { dir, config, model, calibration, operatingPoint, split, summary };
}

async function writeJson(path: string, value: unknown): Promise<void> {
  await writeFile(`${path}.part`, JSON.stringify(value, null, 1) + '\n');
  await rename(`${path}.part`, path);
}
