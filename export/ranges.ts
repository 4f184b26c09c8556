import { CONTRACT } from '../reader/contract.ts';
import type { Film } from '../reader/film.ts';
import { modelOf, observedName } from './graph.ts';
import type { Network } from './network.ts';
import { activationScale, quantizedOperations, type Range } from './quantize.ts';
import { filmTensor, openSession } from './runtime.ts';

/**
 * Where the activations of each layer lie, by running films through the float network: what static
 * quantization has to know before it can choose its scales.
 */

/** What was seen of one operation's results over the films. */
export interface Histogram {
  low: number;
  high: number;
  /** Counts in bins of equal width from `low` to `high`. */
  counts: Float64Array;
}

/** As onnxruntime's calibrators; a bin is then far finer than one of the 256 steps. */
const BINS = 2048;

/**
 * Runs films through the float32 network and observes every result that will be quantized.
 * Two passes: the first finds the extremes, the second counts between them; memory does not grow
 * with the number of films.
 */
export async function observe(
  network: Network,
  films: readonly Film[],
  onFilm: () => void = () => {},
): Promise<Map<string, Histogram>> {
  const operations = quantizedOperations(network);
  const session = await openSession(modelOf(network, undefined, operations));
  const histograms = new Map<string, Histogram>();
  for (const { name } of operations) {
    histograms.set(name, { low: 0, high: 0, counts: new Float64Array(BINS) });
  }
  try {
    for (const take of [extend, count]) {
      for (const film of films) {
        const outputs = await session.run({ [CONTRACT.input]: filmTensor(film) });
        for (const operation of operations) {
          const values = outputs[observedName(operation)]!.data as Float32Array;
          take(histograms.get(operation.name)!, values);
        }
        onFilm();
      }
    }
  } finally {
    await session.release();
  }
  return histograms;
}

function extend(histogram: Histogram, values: Float32Array): void {
  let { low, high } = histogram;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  histogram.low = low;
  histogram.high = high;
}

function count({ low, high, counts }: Histogram, values: Float32Array): void {
  const perUnit = counts.length / (high - low || 1);
  const last = counts.length - 1;
  for (let i = 0; i < values.length; i++) {
    const bin = Math.floor((values[i]! - low) * perUnit);
    counts[bin > last ? last : bin]! += 1;
  }
}

/** How a range is chosen from a distribution. */
interface RangeMethod {
  name: string;
  rangeOf(histogram: Histogram): Range;
}

/** Everything that was seen. */
const MIN_MAX: RangeMethod = { name: 'min-max', rangeOf: ({ low, high }) => ({ low, high }) };

/** All but the rarest values: `share` of them, cut equally at both ends. */
function percentile(share: number): RangeMethod {
  return {
    name: `percentile ${(share * 100).toFixed(3).replace(/0+$/, '')}`,
    rangeOf({ low, high, counts }) {
      const width = (high - low) / counts.length;
      const allowed = (counts.reduce((sum, n) => sum + n, 0) * (1 - share)) / 2;
      return {
        low: low + width * emptyFrom(counts, allowed),
        high: high - width * emptyFrom(counts.toReversed(), allowed),
      };
    },
  };
}

/** How many bins from the start hold no more than `allowed` values together. */
function emptyFrom(counts: Float64Array, allowed: number): number {
  let seen = 0;
  const first = counts.findIndex((n) => (seen += n) > allowed);
  return Math.max(0, first);
}

/**
 * The range with the smallest mean squared error of rounding and clipping together, among those
 * shrunk in steps from everything that was seen.
 */
const LEAST_SQUARES: RangeMethod = {
  name: 'least squares',
  rangeOf(histogram) {
    const { low, high } = histogram;
    let best: Range = { low, high };
    let least = Infinity;
    for (let step = 0; step < SHRINK_STEPS; step++) {
      const factor = 1 - step / SHRINK_STEPS;
      const range = { low: low * factor, high: high * factor };
      const error = quantizationError(histogram, range);
      if (error < least) [best, least] = [range, error];
    }
    return best;
  },
};
const SHRINK_STEPS = 100;

/** Sum of squared differences between the values and what uint8 makes of them over `range`. */
function quantizationError({ low, high, counts }: Histogram, range: Range): number {
  const { scale, zeroPoint } = activationScale(range);
  const width = (high - low) / counts.length;
  let error = 0;
  for (let bin = 0; bin < counts.length; bin++) {
    if (counts[bin] === 0) continue;
    const value = low + (bin + 0.5) * width;
    const quantized = Math.max(0, Math.min(255, Math.round(value / scale) + zeroPoint));
    error += counts[bin]! * (value - (quantized - zeroPoint) * scale) ** 2;
  }
  return error;
}

/** The methods that the exporter tries. */
export const RANGE_METHODS: readonly RangeMethod[] = [
  MIN_MAX,
  percentile(0.9999),
  percentile(0.99999),
  LEAST_SQUARES,
];
