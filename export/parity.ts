import type { LayersModel, Tensor } from '@tensorflow/tfjs';
import type { ModelCard } from '../reader/card.ts';
import { PREPROCESSING } from '../reader/contract.ts';
import type { Film } from '../reader/film.ts';
import { auc } from '../reader/metrics.ts';
import type { TF } from '../training/tensorflow.ts';
import { centralCrop, type PreparedFilm } from './films.ts';
import { openReader } from './runtime.ts';

/** The ONNX files of one export. `fp32` is the measure of the others; it is not shipped. */
export interface ModelSet {
  fp32: Uint8Array;
  wasm: Uint8Array;
  webgpu: Uint8Array;
}

/** Calibrated logits of the same films, in the same order, by everything that can compute them. */
export interface Comparison {
  labels: (0 | 1)[];
  tensorflow: number[];
  fp32: number[];
  wasm: number[];
  webgpu: number[];
}

/** Largest accepted difference between the logits of TF.js and of the float32 ONNX file. */
export const MAX_LOGIT_DIFFERENCE = 1e-3;

/** Largest accepted loss of AUC between the float32 file and each file that ships. */
export const MAX_AUC_LOSS = 0.003;

/** The exported files do not say what the trained network says. */
export class ParityError extends Error {
  override name = 'ParityError';
}

/** Reads films with the trained network and with every ONNX file, on WASM. */
export async function compare(
  tf: TF,
  { model, calibration }: { model: LayersModel; calibration: { slope: number; offset: number } },
  models: ModelSet,
  films: AsyncIterable<PreparedFilm>,
  onFilm: () => void = () => {},
): Promise<Comparison> {
  const readers = {
    fp32: await openReader(models.fp32),
    wasm: await openReader(models.wasm),
    webgpu: await openReader(models.webgpu),
  };
  const comparison: Comparison = { labels: [], tensorflow: [], fp32: [], wasm: [], webgpu: [] };
  try {
    for await (const { film, square, label } of films) {
      const raw = rawLogit(tf, model, square);
      comparison.labels.push(label);
      comparison.tensorflow.push(calibration.slope * raw + calibration.offset);
      for (const name of ['fp32', 'wasm', 'webgpu'] as const) {
        comparison[name].push(await readers[name].logit(film));
      }
      onFilm();
    }
  } finally {
    for (const reader of Object.values(readers)) await reader.close();
  }
  return comparison;
}

/** The network's own answer in TF.js, before calibration. */
function rawLogit(tf: TF, model: LayersModel, square: Film): number {
  const side = PREPROCESSING.inputSize;
  const index = model.outputs.findIndex(({ sourceLayer }) => sourceLayer.name === 'logit');
  return tf.tidy(() => {
    const outputs = model.predict(tf.tensor4d(centralCrop(square), [1, side, side, 1]));
    return (Array.isArray(outputs) ? outputs : [outputs as Tensor])[index]!.dataSync()[0]!;
  });
}

/**
 * Judges a comparison.
 * @throws ParityError when the float32 file strays from TF.js, or a shipped file loses accuracy.
 * @throws MetricsError when the films are all of one class.
 */
export function checkParity(comparison: Comparison): ModelCard['parity'] {
  const { labels, tensorflow, fp32 } = comparison;
  // `Math.max` keeps NaN, which is no small difference.
  const largest = fp32.reduce((most, x, i) => Math.max(most, Math.abs(x - tensorflow[i]!)), 0);
  if (!(largest <= MAX_LOGIT_DIFFERENCE)) {
    throw new ParityError(
      `The float32 ONNX file and TF.js differ by ${largest.toPrecision(3)} in a logit ` +
        `(${labels.length} films; at most ${MAX_LOGIT_DIFFERENCE} is accepted): a layer does not ` +
        'do what its configuration says. Nothing was written.',
    );
  }

  const parity = {
    images: labels.length,
    fp32MaxLogitDifference: largest,
    fp32Auc: auc(fp32, labels),
    int8Auc: auc(comparison.wasm, labels),
    webgpuAuc: auc(comparison.webgpu, labels),
  };
  for (const [name, value] of [
    ['int8', parity.int8Auc],
    ['WebGPU', parity.webgpuAuc],
  ] as const) {
    if (parity.fp32Auc - value <= MAX_AUC_LOSS) continue;
    throw new ParityError(
      `The ${name} file loses accuracy: AUC ${value.toFixed(4)} instead of ` +
        `${parity.fp32Auc.toFixed(4)} over ${labels.length} films; a loss of at most ` +
        `${MAX_AUC_LOSS} is accepted. Nothing was written. Calibrate it on more films.`,
    );
  }
  return parity;
}
