import type { LayersModel, Scalar, Tensor, Variable } from '@tensorflow/tfjs';
import { auc, evaluateScores } from '../reader/metrics.ts';
import { createRandom, type Random } from '../reader/random.ts';
import { STRESS, STRONG, type AugmentConfig } from './augment.ts';
import type { Backend } from './backend.ts';
import { type BatchMaker, createBatchMaker } from './batches.ts';
import { chooseOperatingPoint, confidentAnswers, fitPlatt, sigmoid } from './calibrate.ts';
import { causeOf, type LabelledFile } from './dataset.ts';
import type { PreparedFilms } from './films.ts';
import { buildNetwork, DEFAULT_NETWORK } from './network.ts';
import { AdamW, DEFAULT_OPTIMIZER, oneCycle } from './optimizer.ts';
import {
  type Checkpoint,
  type EpochLog,
  finishRun,
  logEpoch,
  readCheckpoint,
  type Run,
  type RunMetrics,
  saveModel,
  type TrainConfig,
  writeCheckpoint,
} from './run.ts';

/** The recipe of the shipped model. */
export const DEFAULT_CONFIG: Omit<TrainConfig, 'data'> = {
  seed: 1,
  epochs: 24,
  batch: 64,
  validationShare: 0.1,
  network: DEFAULT_NETWORK,
  optimizer: DEFAULT_OPTIMIZER,
  augment: STRONG,
  labelSmoothing: 0.03,
  mixup: 0.2,
  auxiliary: 0.3,
  sensitivity: 0.95,
};

/** How often a stressed film is drawn for calibration and operating point. */
const STRESS_DRAWS = 4;

/** Batches made ahead of the training. */
const PREFETCH = 3;

/** What the caller sees of a run under way. */
export interface TrainObserver {
  onStep?(progress: { step: number; steps: number; loss: number; imagesPerSecond: number }): void;
  onEpoch?(log: EpochLog): void;
}

/** How a call of `train` ended. */
export type TrainOutcome =
  | { state: 'finished'; metrics: RunMetrics }
  /** Stopped by the signal; a checkpoint holds everything up to `step`. */
  | { state: 'stopped'; step: number; steps: number };

/**
 * Trains a run from its last checkpoint (or its start) to its end, and writes model and metrics
 * into the run's folder.
 * @param films the prepared films of both sides of the split.
 * @param signal stops after the current step, with a checkpoint.
 */
export async function train(
  backend: Backend,
  { dir, config, split }: Pick<Run, 'dir' | 'config' | 'split'>,
  films: PreparedFilms,
  signal: AbortSignal,
  observer: TrainObserver = {},
): Promise<TrainOutcome> {
  const { tf } = backend;
  const started = Date.now();
  const indexOf = new Map(films.files.map((file, index) => [file.path, index]));
  const readable = (files: LabelledFile[]) => files.filter((file) => indexOf.has(file.path));
  const sides = { train: readable(split.train), validation: readable(split.validation) };
  const examples = sides.train.map((file) => toExample(file, indexOf.get(file.path)!));
  const batch = Math.min(config.batch, examples.length);
  const stepsPerEpoch = Math.max(1, Math.floor(examples.length / batch));
  const steps = stepsPerEpoch * config.epochs;

  const model = buildNetwork(backend, config.network, config.seed);
  const averaged = buildNetwork(backend, config.network, config.seed);
  const variables = variablesOf(model.trainableWeights);
  const optimizer = new AdamW(tf, variables, config.optimizer);
  const state = [
    ...variablesOf(model.weights),
    ...variablesOf(averaged.weights),
    ...optimizer.state,
  ];
  let at: Checkpoint = { step: 0, lossSum: 0, lossCount: 0 };
  const saved = await readCheckpoint(dir);
  if (saved) {
    at = saved.checkpoint;
    for (const [i, values] of saved.values.entries()) {
      tf.tidy(() => state[i]!.assign(tf.tensor(values, state[i]!.shape)));
    }
  }

  const store = { path: films.store, side: films.side, count: films.files.length };
  const maker = createBatchMaker(store);
  const validation = createValidation(backend, averaged, maker, sides.validation, indexOf);
  try {
    const planned = planBatches(examples, batch, config, stepsPerEpoch);
    const queue: { plan: BatchPlan; pixels: Promise<Float32Array> }[] = [];
    let ahead = at.step;
    let epochStart = Date.now();
    let epochFirst = at.step;
    while (at.step < steps) {
      while (queue.length < PREFETCH && ahead < steps) {
        const plan = planned(ahead++);
        queue.push({ plan, pixels: maker.make(plan) });
      }
      const { plan, pixels } = queue.shift()!;
      const lossValue = await trainStep(backend, model, variables, optimizer, config, {
        plan,
        pixels: await pixels,
        step: at.step,
        steps,
      });
      updateAverage(backend, model, averaged, at.step, config.optimizer.average);
      at.step++;
      at.lossSum += lossValue;
      at.lossCount++;
      const seconds = (Date.now() - epochStart) / 1000;
      const imagesPerSecond = ((at.step - epochFirst) * batch) / seconds;
      observer.onStep?.({ step: at.step, steps, loss: lossValue, imagesPerSecond });
      if (at.step % stepsPerEpoch === 0) {
        const clean = await validation.logits(null, 0);
        const stressed = await validation.logits(STRESS, 1);
        const log: EpochLog = {
          epoch: at.step / stepsPerEpoch,
          loss: at.lossSum / at.lossCount,
          auc: auc(clean, validation.labels),
          stressAuc: auc(stressed, validation.labels),
          imagesPerSecond,
          seconds: (Date.now() - started) / 1000,
        };
        at.lossSum = 0;
        at.lossCount = 0;
        await writeCheckpoint(dir, at, state);
        await logEpoch(dir, log);
        observer.onEpoch?.(log);
        epochStart = Date.now();
        epochFirst = at.step;
      }
      if (signal.aborted && at.step < steps) {
        await writeCheckpoint(dir, at, state);
        return { state: 'stopped', step: at.step, steps };
      }
    }
    const metrics = await conclude();
    return { state: 'finished', metrics };
  } finally {
    await maker.close();
    tf.dispose([...state]);
  }

  async function conclude(): Promise<RunMetrics> {
    const clean = await validation.logits(null, 0);
    const stressed: number[] = [];
    const labels: number[] = [];
    for (let draw = 1; draw <= STRESS_DRAWS; draw++) {
      stressed.push(...(await validation.logits(STRESS, draw)));
      labels.push(...validation.labels);
    }
    const fittedOn = `${sides.validation.length} held-out films under stress, ${STRESS_DRAWS} draws`;
    const { slope, offset } = fitPlatt(stressed, labels);
    const probabilities = (logits: ArrayLike<number>) =>
      Array.from(logits, (logit) => sigmoid(slope * logit + offset));
    const point = chooseOperatingPoint(
      probabilities(stressed),
      labels,
      config.sensitivity,
      `${config.sensitivity * 100} % sensitivity on ${fittedOn}`,
    );
    const patients = (files: LabelledFile[]) => new Set(files.map((file) => file.patient)).size;
    const metrics: RunMetrics = {
      calibration: { slope, offset, fittedOn },
      operatingPoint: point,
      summary: {
        data: describeData(sides.train),
        licence: describeLicence(sides.train),
        images: { train: sides.train.length, validation: sides.validation.length },
        patients: { train: patients(sides.train), validation: patients(sides.validation) },
        prevalence: sides.train.filter((file) => file.label === 1).length / sides.train.length,
        seed: config.seed,
        epochs: config.epochs,
        backend: backend.description,
        weights: await saveModel(tf, dir, averaged),
      },
      validation: evaluateScores(probabilities(clean), validation.labels, point.threshold),
      stress: evaluateScores(probabilities(stressed), labels, point.threshold),
      confident: confidentAnswers(probabilities(stressed), labels, point),
      unreadable: films.unreadable,
      peakMemoryBytes: process.resourceUsage().maxRSS * 1024,
      seconds: (Date.now() - started) / 1000,
    };
    await finishRun(dir, metrics);
    return metrics;
  }
}

interface Example {
  index: number;
  label: 0 | 1;
  cause: 0 | 1 | null;
}

const toExample = ({ path, label }: LabelledFile, index: number): Example => ({
  index,
  label,
  cause: label === 1 ? causeOf(path) : null,
});

interface BatchPlan {
  examples: Example[];
  films: { index: number; donor: number }[];
  size: number;
  config: AugmentConfig;
  seed: number;
  /** Weight of each example's loss: negatives count by the class ratio, so 0.5 means equal priors. */
  weights: number[];
  /** Share of itself each film keeps in mixup, 0.5 to 1. */
  keep: number[];
}

/** What step `n` trains on: a function of the seed and `n` alone, so a resumed run repeats it. */
function planBatches(
  examples: Example[],
  batch: number,
  config: TrainConfig,
  stepsPerEpoch: number,
): (step: number) => BatchPlan {
  const byClass = [0, 1].map((label) => examples.filter((example) => example.label === label));
  const ratio = byClass[1]!.length / byClass[0]!.length;
  let epoch = -1;
  let order: Example[] = [];
  return (step) => {
    const current = Math.floor(step / stepsPerEpoch);
    if (current !== epoch) {
      epoch = current;
      order = createRandom(config.seed * 1_000_003 + epoch).shuffle([...examples]);
    }
    const random = createRandom(config.seed * 1_000_003 + 500_000_000 + step);
    const start = (step % stepsPerEpoch) * batch;
    const chosen = order.slice(start, start + batch);
    return {
      examples: chosen,
      // Donors come from both classes alike, so a histogram tells nothing of the label.
      films: chosen.map(({ index }) => {
        const donors = byClass[random.integer(2)]!;
        return { index, donor: donors[random.integer(donors.length)]!.index };
      }),
      size: config.network.inputSize,
      config: config.augment,
      seed: (config.seed * 1_000_003 + step) * 4096,
      weights: chosen.map(({ label }) => (label === 1 ? 1 : ratio)),
      keep: chosen.map(() => (config.mixup > 0 ? betaDraw(config.mixup, random) : 1)),
    };
  };
}

/** The larger of x and 1 - x for x drawn from Beta(alpha, alpha) (Jöhnk 1964). */
function betaDraw(alpha: number, random: Random): number {
  for (;;) {
    const u = random.uniform() ** (1 / alpha);
    const v = random.uniform() ** (1 / alpha);
    if (u + v > 0 && u + v <= 1) return Math.max(u, v) / (u + v);
  }
}

async function trainStep(
  { tf }: Backend,
  model: LayersModel,
  variables: Variable[],
  optimizer: AdamW,
  config: TrainConfig,
  {
    plan,
    pixels,
    step,
    steps,
  }: { plan: BatchPlan; pixels: Float32Array; step: number; steps: number },
): Promise<number> {
  const { examples, size } = plan;
  const { value, grads } = tf.tidy(() => {
    const keep = tf.tensor1d(plan.keep);
    const give = tf.sub(1, keep);
    /** A film's partner in mixup is the one at the other end of the batch. */
    const mix = (x: Tensor, keep: Tensor, give: Tensor): Tensor =>
      tf.add(tf.mul(x, keep), tf.mul(tf.reverse(x, 0), give));
    const films = tf.tensor4d(pixels, [examples.length, size, size, 1]);
    const image = (x: Tensor) => x.reshape([-1, 1, 1, 1]);
    const x = config.mixup > 0 ? mix(films, image(keep), image(give)) : films;
    const smooth = (label: number) =>
      config.labelSmoothing + label * (1 - 2 * config.labelSmoothing);
    const column = (values: number[]) => mix(tf.tensor1d(values), keep, give);
    const weights = column(plan.weights);
    const targets = column(examples.map(({ label }) => smooth(label)));
    const known = column(examples.map(({ cause }) => (cause === null ? 0 : 1)));
    const causes = column(examples.map(({ cause }) => (cause === null ? 0 : smooth(cause))));

    return tf.variableGrads(() => {
      const [logit, auxiliary] = model.apply(x, { training: true }) as [Tensor, Tensor];
      const loss = weightedMean(crossEntropy(logit.reshape([-1]), targets), weights);
      const causeTargets = tf.div(causes, tf.maximum(known, 1e-3));
      const causeLoss = weightedMean(crossEntropy(auxiliary.reshape([-1]), causeTargets), known);
      return tf.add(loss, tf.mul(causeLoss, config.auxiliary)) as Scalar;
    }, variables);
  });
  optimizer.apply(grads, step, oneCycle(step, steps, config.optimizer));
  const [loss] = await value.data();
  value.dispose();
  if (!Number.isFinite(loss)) {
    throw new Error(
      `The loss is no number at step ${step}. Resume from the last checkpoint with a lower --learning-rate.`,
    );
  }
  return loss!;

  /** Stable binary cross-entropy from logits, elementwise. */
  function crossEntropy(logits: Tensor, targets: Tensor): Tensor {
    const tail = tf.log(tf.add(1, tf.exp(tf.neg(tf.abs(logits)))));
    return tf.add(tf.sub(tf.relu(logits), tf.mul(logits, targets)), tail);
  }

  function weightedMean(values: Tensor, weights: Tensor): Tensor {
    return tf.div(tf.sum(tf.mul(values, weights)), tf.add(tf.sum(weights), 1e-6));
  }
}

/** The exponential average of all weights; the first steps count more, so that short runs work. */
function updateAverage(
  { tf }: Backend,
  model: LayersModel,
  averaged: LayersModel,
  step: number,
  average: number,
): void {
  const decay = Math.min(average, (1 + step) / (10 + step));
  const targets = variablesOf(averaged.weights);
  tf.tidy(() => {
    for (const [i, weight] of variablesOf(model.weights).entries()) {
      const target = targets[i]!;
      target.assign(tf.add(tf.mul(target, decay), tf.mul(weight, 1 - decay)));
    }
  });
}

function variablesOf(weights: LayersModel['weights']): Variable[] {
  return weights.map((weight) => (weight as unknown as { val: Variable }).val);
}

function createValidation(
  { tf }: Backend,
  model: LayersModel,
  maker: BatchMaker,
  files: LabelledFile[],
  indexOf: Map<string, number>,
) {
  const indices = files.map((file) => indexOf.get(file.path)!);
  const size = model.inputs[0]!.shape[1]!;
  const chunk = 64;
  return {
    labels: files.map((file) => file.label as number),
    /** Logits of every validation film, as it is (`config` null) or augmented. */
    logits: async (config: AugmentConfig | null, draw: number): Promise<Float32Array> => {
      const logits = new Float32Array(indices.length);
      const starts = indices.map((_, i) => i).filter((i) => i % chunk === 0);
      const request = (start: number) => {
        const part = indices.slice(start, start + chunk);
        const films = part.map((index) => ({ index, donor: index }));
        return maker.make({ films, size, config, seed: draw * 10_000_019 + start });
      };
      let next = request(0);
      for (const start of starts) {
        const pixels = await next;
        if (start + chunk < indices.length) next = request(start + chunk);
        const values = tf.tidy(() => {
          const films = tf.tensor4d(pixels, [pixels.length / (size * size), size, size, 1]);
          const [logit] = model.apply(films, { training: false }) as [Tensor, Tensor];
          return logit.dataSync();
        });
        logits.set(values as Float32Array, start);
      }
      return logits;
    },
  };
}

/** Films named as the Guangzhou set names them carry its licence and ask for its attribution. */
function isGuangzhou(files: LabelledFile[]): boolean {
  return files.some(({ path }) => /person\d+_(bacteria|virus)_\d+|IM-\d{4}-\d{4}/.test(path));
}

function describeData(files: LabelledFile[]): string {
  return isGuangzhou(files)
    ? 'Guangzhou Women and Children’s Medical Center, children of 1 to 5 years: Kermany, Zhang, Goldbaum (2018), doi:10.17632/rscbjbr9sj.2'
    : 'Local films';
}

function describeLicence(files: LabelledFile[]): string {
  return isGuangzhou(files) ? 'CC BY 4.0' : 'Local';
}
