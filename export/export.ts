import { createHash } from 'node:crypto';
import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Metrics, ModelCard, ModelFile } from '../reader/card.ts';
import { CONTRACT, MODEL_FILES } from '../reader/contract.ts';
import type { Film } from '../reader/film.ts';
import { evaluateScores } from '../reader/metrics.ts';
import { drawPhantom } from '../reader/phantom.ts';
import { createRandom } from '../reader/random.ts';
import type { TF } from '../training/tensorflow.ts';
import { DataError } from '../training/dataset.ts';
import type { Run } from '../training/run.ts';
import { decodeFilms, type UnreadableFile } from './films.ts';
import { modelOf } from './graph.ts';
import { translate } from './layers.ts';
import { checkParity, compare, type Comparison, type ModelSet } from './parity.ts';
import { OPSET } from './preprocessing.ts';
import { quantize, type RangeTrial } from './calibrate.ts';
import { openReader, ort } from './runtime.ts';

/** Training films that the activations' ranges are read from. */
const CALIBRATION_FILMS = 128;

export type ExportPhase = 'preparing' | 'quantizing' | 'comparing';

export interface ExportOptions {
  tf: TF;
  run: Run;
  /** Folder to write to; made when it is not there, other files in it are left alone. */
  out: string;
  /** Name of the model in its card. */
  name: string;
  date: Date;
  /** Version of this project, for the card. */
  version: string;
  onProgress?: (phase: ExportPhase, done: number, total: number) => void;
}

export interface ExportResult {
  out: string;
  card: ModelCard;
  /** How the int8 file's ranges were chosen, best first. */
  quantization: { films: number; trials: RangeTrial[] };
  unreadable: UnreadableFile[];
}

/**
 * Turns a run into the files that ship: the int8 model, the model for WebGPU, and the card. They
 * are written together at the end, after the models have proved on the run's validation films that
 * they say what the trained network says.
 * @throws ExportError, ParityError, DataError; then nothing was written.
 */
export async function exportRun(options: ExportOptions): Promise<ExportResult> {
  const { tf, run, out, onProgress = () => {} } = options;
  const network = translate(run.model, run.calibration);
  const fp32 = modelOf(network);
  const unreadable: UnreadableFile[] = [];
  const note = (file: UnreadableFile) => unreadable.push(file);

  const chosen = createRandom(run.config.seed).shuffle([...run.split.train]);
  const films: Film[] = [];
  const files = chosen.slice(0, CALIBRATION_FILMS);
  for await (const { square } of decodeFilms(files, note)) {
    films.push(square);
    onProgress('preparing', films.length, files.length);
  }
  requireSome(films.length, 'training', unreadable);
  const { wasm, webgpu, trials } = await quantize(network, films, (done, total) =>
    onProgress('quantizing', done, total),
  );

  const models: ModelSet = { fp32, wasm, webgpu };
  const { validation } = run.split;
  let done = 0;
  const comparison = await compare(tf, run, models, decodeFilms(validation, note), () =>
    onProgress('comparing', ++done, validation.length),
  );
  requireSome(done, 'validation', unreadable);
  const parity = checkParity(comparison);

  const card = await describe(options, models, parity, metricsOf(run, comparison));
  await writeTogether(out, {
    [MODEL_FILES.wasm]: wasm,
    [MODEL_FILES.webgpu]: webgpu,
    [MODEL_FILES.card]: `${JSON.stringify(card, null, 2)}\n`,
  });
  return { out, card, quantization: { films: films.length, trials }, unreadable };
}

function requireSome(
  count: number,
  side: 'training' | 'validation',
  unreadable: UnreadableFile[],
): void {
  if (count > 0) return;
  throw new DataError(
    `None of the run's ${side} films can be read (${unreadable[0]?.reason ?? 'there are none'}). ` +
      'Nothing was written. If the films have moved, name their folder with --images.',
  );
}

/** Metrics of the int8 file, at the run's operating point. */
function metricsOf({ operatingPoint }: Run, { wasm, labels }: Comparison): Metrics {
  const probabilities = wasm.map((logit) => 1 / (1 + Math.exp(-logit)));
  return evaluateScores(probabilities, labels, operatingPoint.threshold);
}

async function describe(
  { tf, run, name, date, version }: ExportOptions,
  models: ModelSet,
  parity: ModelCard['parity'],
  metrics: Metrics,
): Promise<ModelCard> {
  return {
    format: 1,
    name,
    date: date.toISOString(),
    files: {
      wasm: fileEntry(MODEL_FILES.wasm, models.wasm, 'int8 QDQ'),
      webgpu: fileEntry(MODEL_FILES.webgpu, models.webgpu, 'int8 weights'),
    },
    inputs: [{ name: CONTRACT.input, type: 'uint8', shape: ['height', 'width'] }],
    outputs: [
      { name: CONTRACT.logit, type: 'float32', shape: [1] },
      { name: CONTRACT.probability, type: 'float32', shape: [1] },
    ],
    operatingPoint: run.operatingPoint,
    calibration: run.calibration,
    training: run.summary,
    metrics: { 'held-out patients': metrics },
    parity,
    selfTest: await selfTestOf(models),
    ages: { low: 1, high: 5 },
    limits: LIMITS,
    versions: {
      bellows: version,
      node: process.versions.node,
      tensorflowjs: tf.version_core,
      'onnxruntime-web': ort.env.versions.common,
    },
  };
}

const LIMITS = [
  'A second reader: its answer is never a diagnosis. A health worker who sees the child decides.',
  'Made for frontal chest films of children of 1 to 5 years. It means nothing for infants, older ' +
    'children and adults, for side views, or for other pictures.',
  'It looks for signs of pneumonia alone. "No signs found" does not mean a healthy film: ' +
    'tuberculosis, fluid, air outside the lung and foreign bodies are not looked for.',
  'Its figures come from the hospital whose films it learned from. Elsewhere it can do much worse: ' +
    'a published model trained on the Guangzhou films fell from an AUC of 0.93 to 0.65 on 190 ' +
    'films in Nigeria (PLOS Digital Health 2025, e0000713). Measure it on local films before ' +
    'relying on it.',
  'It has not been tested in a clinical study and is not approved as a medical device.',
];

function fileEntry(file: string, bytes: Uint8Array, precision: string): ModelFile {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return { file, sha256, bytes: bytes.length, precision, opset: OPSET };
}

/**
 * Logits that a sound engine stays within: WASM repeats its answer to the bit, WebGPU's float32
 * sums differ in the fourth decimal; the driver faults this is for are off by whole logits.
 */
const SELF_TEST_TOLERANCE = 0.02;

async function selfTestOf({ wasm, webgpu }: ModelSet): Promise<ModelCard['selfTest']> {
  const film = drawPhantom({ width: 96, height: 96, seed: 11, consolidation: 0.5 });
  return {
    width: film.width,
    height: film.height,
    grey: Buffer.from(film.grey).toString('base64'),
    logit: { wasm: await answerOf(wasm, film), webgpu: await answerOf(webgpu, film) },
    tolerance: SELF_TEST_TOLERANCE,
  };
}

async function answerOf(model: Uint8Array, film: Film): Promise<number> {
  const reader = await openReader(model);
  try {
    return await reader.logit(film);
  } finally {
    await reader.close();
  }
}

/**
 * Writes files beside their place first and moves them there when all are complete. The last one
 * moved is the card: without it, or with an old one, no reader takes the models.
 */
async function writeTogether(
  out: string,
  files: Record<string, Uint8Array | string>,
): Promise<void> {
  const part = `${resolve(out)}.part-${process.pid}`;
  await mkdir(part, { recursive: true });
  try {
    for (const [name, content] of Object.entries(files)) await writeFile(join(part, name), content);
    if (await stat(out).catch(() => null)) {
      for (const name of Object.keys(files)) await rename(join(part, name), join(out, name));
    } else {
      await rename(part, out);
    }
  } finally {
    await rm(part, { recursive: true, force: true });
  }
}

/** A model's name by its date, for instance `bellows-2026.11.23`. */
export function defaultName(date: Date): string {
  return `bellows-${date.toISOString().slice(0, 10).replaceAll('-', '.')}`;
}
