import type { ModelCard } from '../reader/card.ts';
import { verdictAt } from '../reader/reading.ts';

/** Logistic function. */
export const sigmoid = (logit: number): number => 1 / (1 + Math.exp(-logit));

/**
 * Platt scaling at equal priors: the slope and offset that make sigmoid(slope * logit + offset)
 * the probability of pneumonia where both classes are equally frequent.
 * Source: Platt 1999, with his smoothed targets; Newton's method on the two parameters.
 * @param logits of held-out films, @param labels 0 or 1, same length.
 */
export function fitPlatt(
  logits: ArrayLike<number>,
  labels: ArrayLike<number>,
): {
  slope: number;
  offset: number;
} {
  const count = labels.length;
  const positives = Array.from(labels).reduce((sum, label) => sum + label, 0);
  const negatives = count - positives;
  const target = [1 / (negatives + 2), (positives + 1) / (positives + 2)];
  const weight = [0.5 / negatives, 0.5 / positives];
  // On standardised logits Newton's method starts near the answer, whatever the scale.
  const mean = Array.from(logits).reduce((sum, x) => sum + x, 0) / count;
  const spread = Math.sqrt(Array.from(logits).reduce((sum, x) => sum + (x - mean) ** 2, 0) / count);
  const standard = Float64Array.from(logits, (x) => (x - mean) / (spread || 1));
  // A whisper of ridge keeps perfectly separated films finite.
  const ridge = 1e-5;

  const loss = (a: number, b: number) => {
    let sum = 0.5 * ridge * a * a;
    for (let i = 0; i < count; i++) {
      const z = a * standard[i]! + b;
      const softplus = Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z)));
      sum += weight[labels[i]!]! * (softplus - target[labels[i]!]! * z);
    }
    return sum;
  };

  let a = 1;
  let b = 0;
  let current = loss(a, b);
  for (let iteration = 0; iteration < 100; iteration++) {
    let ga = ridge * a;
    let gb = 0;
    let haa = ridge;
    let hab = 0;
    let hbb = 1e-9;
    for (let i = 0; i < count; i++) {
      const x = standard[i]!;
      const w = weight[labels[i]!]!;
      const p = sigmoid(a * x + b);
      const error = w * (p - target[labels[i]!]!);
      const curvature = w * p * (1 - p);
      ga += error * x;
      gb += error;
      haa += curvature * x * x;
      hab += curvature * x;
      hbb += curvature;
    }
    const determinant = haa * hbb - hab * hab;
    let stepA = (hbb * ga - hab * gb) / determinant;
    let stepB = (haa * gb - hab * ga) / determinant;
    let next = loss(a - stepA, b - stepB);
    for (let halving = 0; next > current && halving < 40; halving++) {
      stepA /= 2;
      stepB /= 2;
      next = loss(a - stepA, b - stepB);
    }
    if (!(next < current)) break;
    a -= stepA;
    b -= stepB;
    if (current - next < 1e-14) break;
    current = next;
  }
  const slope = a / (spread || 1);
  return { slope, offset: b - slope * mean };
}

/** Accuracy the confident answers should reach, and the share that may stay uncertain (issue 3). */
const CONFIDENT_ACCURACY = 0.98;
const MAX_UNCERTAIN = 0.15;

/**
 * The threshold that finds `sensitivity` of the positives, and around it (in log-odds) the
 * narrowest band outside which the answers are at least 98 % accurate, or the widest that leaves
 * at most 15 % uncertain.
 * @param probabilities calibrated, on films the training has not seen.
 */
export function chooseOperatingPoint(
  probabilities: ArrayLike<number>,
  labels: ArrayLike<number>,
  sensitivity: number,
  chosenOn: string,
): ModelCard['operatingPoint'] {
  const positives = Array.from(probabilities).filter((_, i) => labels[i] === 1);
  positives.sort((a, b) => a - b);
  const missed = Math.floor(positives.length * (1 - sensitivity));
  const threshold = Math.min(0.95, Math.max(0.05, positives[missed]!));
  const centre = Math.log(threshold / (1 - threshold));
  const total = labels.length;
  const films = Array.from(probabilities, (p, i) => {
    const q = Math.min(1 - 1e-9, Math.max(1e-9, p));
    return {
      distance: Math.abs(Math.log(q / (1 - q)) - centre),
      wrong: p >= threshold !== (labels[i] === 1),
    };
  }).sort((a, b) => a.distance - b.distance);
  let errors = films.filter(({ wrong }) => wrong).length;
  let half = 0;
  for (const [inside, { distance, wrong }] of films.entries()) {
    if (errors <= (1 - CONFIDENT_ACCURACY) * (total - inside)) break;
    if (inside + 1 > MAX_UNCERTAIN * total) break;
    half = distance + 1e-6;
    if (wrong) errors--;
  }
  return {
    threshold,
    uncertain: { low: sigmoid(centre - half), high: sigmoid(centre + half) },
    chosenOn,
  };
}

/** How the three answers do on labelled films. */
export function confidentAnswers(
  probabilities: ArrayLike<number>,
  labels: ArrayLike<number>,
  point: ModelCard['operatingPoint'],
): { accuracy: number; uncertain: number } {
  let right = 0;
  let confident = 0;
  for (let i = 0; i < labels.length; i++) {
    const verdict = verdictAt(probabilities[i]!, point);
    if (verdict === 'uncertain') continue;
    confident++;
    if ((verdict === 'pneumonia') === (labels[i] === 1)) right++;
  }
  return { accuracy: right / confident, uncertain: 1 - confident / labels.length };
}
