import type { Film } from '../reader/film.ts';
import { modelOf, type Precision } from './graph.ts';
import type { Network } from './network.ts';
import { int8 } from './quantize.ts';
import { observe, RANGE_METHODS } from './ranges.ts';
import { openReader } from './runtime.ts';
import { INT8_WEIGHTS } from './webgpu.ts';

/** What one method of choosing ranges did to the logits. */
export interface RangeTrial {
  method: string;
  /** Difference to the float32 file's logit over the calibration films. */
  meanError: number;
  maxError: number;
}

/** The quantized files, and how the ranges of the int8 one were chosen. */
export interface Quantized {
  wasm: Uint8Array;
  webgpu: Uint8Array;
  /** Best first. */
  trials: RangeTrial[];
}

/**
 * Quantizes a network: observes it on films, tries each method of choosing ranges, and keeps the
 * one with the smallest mean error in the logit.
 *
 * Rounding moves all logits the same way by up to three times what it scatters them, so each file's
 * logit is centred on the float32 one's (bias correction, Nagel et al. 2019, section 4.2, at the
 * last layer alone: done at each layer it gained nothing more).
 * @param films typical ones that nothing will be measured on; a few hundred.
 * @param onProgress is told after each run of a film.
 */
export async function quantize(
  network: Network,
  films: readonly Film[],
  onProgress: (done: number, total: number) => void = () => {},
): Promise<Quantized> {
  const total = films.length * (2 + 1 + RANGE_METHODS.length + 1);
  let done = 0;
  const tick = () => onProgress(++done, total);
  const histograms = await observe(network, films, tick);
  const exact = await logitsOf(modelOf(network), films, tick);

  const attempt = async (precision: Precision) => {
    const logits = await logitsOf(modelOf(network, precision), films, tick);
    const shift = mean(exact.map((logit, i) => logit - logits[i]!));
    const errors = exact.map((logit, i) => Math.abs(logits[i]! + shift - logit));
    return {
      model: modelOf(shifted(network, shift), precision),
      meanError: mean(errors),
      maxError: Math.max(...errors),
    };
  };
  const tried = [];
  for (const { name: method, rangeOf } of RANGE_METHODS) {
    const ranges = new Map([...histograms].map(([name, seen]) => [name, rangeOf(seen)]));
    tried.push({ method, ...(await attempt(int8(network, ranges))) });
  }
  tried.sort((a, b) => a.meanError - b.meanError);
  return {
    wasm: tried[0]!.model,
    webgpu: (await attempt(INT8_WEIGHTS)).model,
    trials: tried.map(({ model: _, ...trial }) => trial),
  };
}

const mean = (values: number[]): number => values.reduce((sum, v) => sum + v, 0) / values.length;

/** The same network with `shift` added to its logit. */
function shifted(network: Network, shift: number): Network {
  const operations = network.operations.map((operation) =>
    operation.name === network.logit && operation.kind === 'dense'
      ? { ...operation, bias: operation.bias.map((value) => value + shift) }
      : operation,
  );
  return { ...network, operations };
}

async function logitsOf(
  model: Uint8Array,
  films: readonly Film[],
  onFilm: () => void,
): Promise<number[]> {
  const reader = await openReader(model);
  const logits: number[] = [];
  try {
    for (const film of films) {
      logits.push(await reader.logit(film));
      onFilm();
    }
  } finally {
    await reader.close();
  }
  return logits;
}
