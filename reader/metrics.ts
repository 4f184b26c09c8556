import type { Estimate, Metrics } from './card.ts';
import { createRandom } from './random.ts';

/** Scores that no metric can be computed from: one class is missing, or a value is no number. */
export class MetricsError extends Error {
  override name = 'MetricsError';
}

/** One step of a ROC curve: what calling everything from `threshold` on positive costs. */
export interface RocPoint {
  threshold: number;
  truePositiveRate: number;
  falsePositiveRate: number;
}

export interface EvaluationOptions {
  /** Bootstrap resamples. */
  resamples?: number;
  seed?: number;
}

/** Bins of equal width for the calibration error. */
const BINS = 10;

/**
 * Area under the ROC curve by ranks (Mann and Whitney 1947), ties counted half.
 * @param scores any finite numbers, higher meaning more likely positive.
 * @param labels 1 positive, 0 negative, as long as `scores`.
 * @throws MetricsError when one class is missing.
 */
export function auc(scores: ArrayLike<number>, labels: ArrayLike<number>): number {
  check(scores, labels);
  const groups = groupsOfTies(scores, labels);
  return aucOf(groups.positive, groups.negative);
}

/**
 * The ROC curve from (0, 0) to (1, 1), one point per distinct score, highest threshold first.
 * @throws MetricsError when one class is missing.
 */
export function rocCurve(scores: ArrayLike<number>, labels: ArrayLike<number>): RocPoint[] {
  check(scores, labels);
  const { scoreOf, positive, negative } = groupsOfTies(scores, labels);
  const positives = sum(positive);
  const negatives = sum(negative);
  const points: RocPoint[] = [{ threshold: Infinity, truePositiveRate: 0, falsePositiveRate: 0 }];
  let tp = 0;
  let fp = 0;
  for (let g = scoreOf.length - 1; g >= 0; g--) {
    tp += positive[g]!;
    fp += negative[g]!;
    points.push({
      threshold: scoreOf[g]!,
      truePositiveRate: tp / positives,
      falsePositiveRate: fp / negatives,
    });
  }
  return points;
}

/**
 * Every metric of an evaluation with its 95 % interval: percentile bootstrap (Efron 1979),
 * stratified: each resample draws as many positives and negatives as there are. So an interval
 * speaks of films of this mix, every resample has both classes, and the same seed gives the same
 * interval everywhere.
 * @param probabilities of pneumonia, 0 to 1.
 * @param labels 1 pneumonia, 0 normal, as long as `probabilities`.
 * @param threshold probability from which a film counts as positive.
 * @throws MetricsError when one class is missing or a probability is none.
 */
export function evaluateScores(
  probabilities: ArrayLike<number>,
  labels: ArrayLike<number>,
  threshold: number,
  { resamples = 2000, seed = 1 }: EvaluationOptions = {},
): Metrics {
  check(probabilities, labels);
  for (let i = 0; i < probabilities.length; i++) {
    const p = probabilities[i]!;
    if (p < 0 || p > 1) throw new MetricsError(`A probability must be 0 to 1, not ${p}.`);
  }
  const n = labels.length;
  const ties = groupsOfTies(probabilities, labels);
  const sample = new Sample(probabilities, labels, ties, threshold);
  const members = [0, 1].map((label) =>
    Uint32Array.from({ length: n }, (_, i) => i).filter((i) => labels[i] === label),
  );

  sample.clear();
  for (let i = 0; i < n; i++) sample.add(i);
  const confusion = sample.confusion();
  const value = sample.metrics();

  const random = createRandom(seed);
  const drawn = METRICS.map(() => new Float64Array(resamples));
  for (let r = 0; r < resamples; r++) {
    sample.clear();
    for (const films of members) {
      for (let k = 0; k < films.length; k++) sample.add(films[random.integer(films.length)]!);
    }
    const metrics = sample.metrics();
    METRICS.forEach((name, m) => (drawn[m]![r] = metrics[name]));
  }
  const estimates = Object.fromEntries(
    METRICS.map((name, m) => [name, estimate(value[name], drawn[m]!)]),
  ) as Record<MetricName, Estimate>;
  return { n, ...estimates, threshold, confusion };
}

const METRICS = ['auc', 'accuracy', 'sensitivity', 'specificity', 'brier', 'ece'] as const;
type MetricName = (typeof METRICS)[number];

/** Counts of films by score in ascending order, so that a resample needs no sorting. */
interface Ties {
  scoreOf: Float64Array;
  /** Group of each film. */
  groupOf: Uint32Array;
  positive: Float64Array;
  negative: Float64Array;
}

function groupsOfTies(scores: ArrayLike<number>, labels: ArrayLike<number>): Ties {
  const order = Uint32Array.from({ length: scores.length }, (_, i) => i);
  order.sort((a, b) => scores[a]! - scores[b]!);
  const groupOf = new Uint32Array(scores.length);
  const scoreOf: number[] = [];
  for (const i of order) {
    if (scoreOf.length === 0 || scores[i] !== scoreOf[scoreOf.length - 1]) scoreOf.push(scores[i]!);
    groupOf[i] = scoreOf.length - 1;
  }
  const positive = new Float64Array(scoreOf.length);
  const negative = new Float64Array(scoreOf.length);
  for (let i = 0; i < scores.length; i++)
    (labels[i] === 1 ? positive : negative)[groupOf[i]!]! += 1;
  return { scoreOf: Float64Array.from(scoreOf), groupOf, positive, negative };
}

function aucOf(positive: Float64Array, negative: Float64Array): number {
  let wins = 0;
  let below = 0;
  let positives = 0;
  for (let g = 0; g < positive.length; g++) {
    wins += positive[g]! * (below + negative[g]! / 2);
    below += negative[g]!;
    positives += positive[g]!;
  }
  return wins / (positives * below);
}

/** Sums over one (re)sample of films, from which all metrics follow. */
class Sample {
  private readonly positive: Float64Array;
  private readonly negative: Float64Array;
  private readonly binOf: Uint8Array;
  private readonly binGap = new Float64Array(BINS);
  private readonly squaredError: Float64Array;
  private tp = 0;
  private fp = 0;
  private tn = 0;
  private fn = 0;
  private squares = 0;

  constructor(
    private readonly probabilities: ArrayLike<number>,
    private readonly labels: ArrayLike<number>,
    private readonly ties: Ties,
    private readonly threshold: number,
  ) {
    this.positive = new Float64Array(ties.scoreOf.length);
    this.negative = new Float64Array(ties.scoreOf.length);
    this.binOf = Uint8Array.from(probabilities, (p) => Math.min(BINS - 1, Math.floor(p * BINS)));
    this.squaredError = Float64Array.from(probabilities, (p, i) => (p - labels[i]!) ** 2);
  }

  clear(): void {
    this.positive.fill(0);
    this.negative.fill(0);
    this.binGap.fill(0);
    this.tp = this.fp = this.tn = this.fn = this.squares = 0;
  }

  add(i: number): void {
    const p = this.probabilities[i]!;
    const group = this.ties.groupOf[i]!;
    if (this.labels[i] === 1) {
      this.positive[group]! += 1;
      if (p >= this.threshold) this.tp += 1;
      else this.fn += 1;
    } else {
      this.negative[group]! += 1;
      if (p >= this.threshold) this.fp += 1;
      else this.tn += 1;
    }
    this.squares += this.squaredError[i]!;
    // |mean probability - share of positives| times the bin's size is |sum of (p - label)|.
    this.binGap[this.binOf[i]!]! += p - this.labels[i]!;
  }

  confusion(): Metrics['confusion'] {
    return { tp: this.tp, fp: this.fp, tn: this.tn, fn: this.fn };
  }

  metrics(): Record<MetricName, number> {
    const { tp, fp, tn, fn } = this;
    const n = tp + fp + tn + fn;
    return {
      auc: aucOf(this.positive, this.negative),
      accuracy: (tp + tn) / n,
      sensitivity: tp / (tp + fn),
      specificity: tn / (tn + fp),
      brier: this.squares / n,
      ece: this.binGap.reduce((total, gap) => total + Math.abs(gap), 0) / n,
    };
  }
}

/**
 * A value with the 2.5 % and 97.5 % quantiles of its resamples (linear interpolation). The interval
 * is widened to hold the value: resampling inflates a small calibration error, whose quantiles
 * then both lie above it.
 */
function estimate(value: number, resampled: Float64Array): Estimate {
  if (resampled.length === 0) return { value, low: value, high: value };
  const sorted = resampled.sort();
  const quantile = (q: number) => {
    const at = q * (sorted.length - 1);
    const low = sorted[Math.floor(at)]!;
    return low + (sorted[Math.ceil(at)]! - low) * (at - Math.floor(at));
  };
  return {
    value,
    low: Math.min(value, quantile(0.025)),
    high: Math.max(value, quantile(0.975)),
  };
}

function check(scores: ArrayLike<number>, labels: ArrayLike<number>): void {
  if (scores.length !== labels.length) {
    throw new MetricsError(`${scores.length} scores can not belong to ${labels.length} labels.`);
  }
  let positives = 0;
  for (let i = 0; i < labels.length; i++) {
    if (!Number.isFinite(scores[i])) throw new MetricsError(`Score ${i} is ${scores[i]}.`);
    if (labels[i] !== 0 && labels[i] !== 1) {
      throw new MetricsError(`Label ${i} is ${labels[i]}; only 0 and 1 are known.`);
    }
    positives += labels[i]!;
  }
  if (labels.length === 0) throw new MetricsError('There is no film to measure.');
  if (positives === 0 || positives === labels.length) {
    throw new MetricsError(
      `All ${labels.length} films are ${positives === 0 ? 'normal' : 'pneumonia'}. ` +
        'Metrics need films of both classes.',
    );
  }
}

function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0);
}
