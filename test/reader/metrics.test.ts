import { describe, expect, it } from 'vitest';
import { auc, evaluateScores, MetricsError, rocCurve } from '../../reader/metrics.ts';
import { createRandom } from '../../reader/random.ts';

/** Six films, worked out by hand. */
const probabilities = [0.9, 0.8, 0.35, 0.6, 0.35, 0.1];
const labels = [1, 1, 1, 0, 0, 0];

/** Films whose labels follow their probabilities, so that calibration is perfect but for chance. */
function calibrated(n: number) {
  const { uniform } = createRandom(11);
  const p = Array.from({ length: n }, () => uniform());
  return { p, y: p.map((value) => (uniform() < value ? 1 : 0)) };
}

describe('auc', () => {
  it('counts pairs, ties half', () => {
    // 0.9 and 0.8 beat all three normals; 0.35 beats 0.1, ties with 0.35, loses to 0.6.
    expect(auc(probabilities, labels)).toBeCloseTo((3 + 3 + 1.5) / 9, 12);
    expect(auc([1, 2, 3], [0, 0, 1])).toBe(1);
    expect(auc([3, 2, 1], [0, 0, 1])).toBe(0);
    expect(auc([5, 5, 5, 5], [0, 1, 0, 1])).toBe(0.5);
  });

  it('equals the share of pairs in the right order', () => {
    const { p, y } = calibrated(200);
    let wins = 0;
    let pairs = 0;
    p.forEach((a, i) =>
      p.forEach((b, j) => {
        if (y[i] !== 1 || y[j] !== 0) return;
        pairs += 1;
        wins += a > b ? 1 : a === b ? 0.5 : 0;
      }),
    );
    expect(auc(p, y)).toBeCloseTo(wins / pairs, 12);
  });

  it('does not see a monotone change of the scores', () => {
    const { p, y } = calibrated(300);
    const logits = p.map((value) => Math.log(value / (1 - value)));
    expect(auc(logits, y)).toBeCloseTo(auc(p, y), 12);
  });

  it('says what is missing', () => {
    expect(() => auc([0.1, 0.2], [1, 1])).toThrow('All 2 films are pneumonia.');
    expect(() => auc([0.1, 0.2], [0, 0])).toThrow('All 2 films are normal.');
    expect(() => auc([], [])).toThrow('no film');
    expect(() => auc([0.1], [0, 1])).toThrow(MetricsError);
    expect(() => auc([0.1, NaN], [0, 1])).toThrow('Score 1 is NaN');
    expect(() => auc([0.1, 0.2], [0, 2])).toThrow('Label 1 is 2');
  });
});

describe('rocCurve', () => {
  it('steps once per distinct score', () => {
    const points = rocCurve(probabilities, labels);
    expect(points.map(({ threshold }) => threshold)).toEqual([Infinity, 0.9, 0.8, 0.6, 0.35, 0.1]);
    expect(points.map((p) => [p.falsePositiveRate * 3, p.truePositiveRate * 3])).toEqual([
      [0, 0],
      [0, 1],
      [0, 2],
      [1, 2],
      [2, 3],
      [3, 3],
    ]);
  });

  it('encloses the area that auc gives', () => {
    const { p, y } = calibrated(400);
    const points = rocCurve(p, y);
    let area = 0;
    for (let k = 1; k < points.length; k++) {
      const [a, b] = [points[k - 1]!, points[k]!];
      area +=
        ((b.falsePositiveRate - a.falsePositiveRate) * (a.truePositiveRate + b.truePositiveRate)) /
        2;
    }
    expect(area).toBeCloseTo(auc(p, y), 12);
  });
});

describe('evaluateScores', () => {
  it('gives the values worked out by hand', () => {
    const metrics = evaluateScores(probabilities, labels, 0.5);
    expect(metrics.n).toBe(6);
    expect(metrics.threshold).toBe(0.5);
    expect(metrics.confusion).toEqual({ tp: 2, fp: 1, tn: 2, fn: 1 });
    expect(metrics.auc.value).toBeCloseTo(7.5 / 9, 12);
    expect(metrics.accuracy.value).toBeCloseTo(4 / 6, 12);
    expect(metrics.sensitivity.value).toBeCloseTo(2 / 3, 12);
    expect(metrics.specificity.value).toBeCloseTo(2 / 3, 12);
    // 0.01 + 0.04 + 0.4225 + 0.36 + 0.1225 + 0.01
    expect(metrics.brier.value).toBeCloseTo(0.965 / 6, 12);
    // Bins: 0.9 |0.1|, 0.8 |0.2|, 0.6 |0.6|, 0.35 twice |0.7 - 1|, 0.1 |0.1|.
    expect(metrics.ece.value).toBeCloseTo((0.1 + 0.2 + 0.6 + 0.3 + 0.1) / 6, 12);
  });

  it('counts a film at the threshold as positive', () => {
    expect(evaluateScores([0.5, 0.2], [1, 0], 0.5).confusion.tp).toBe(1);
  });

  it('puts a probability of 1 into the last bin', () => {
    expect(evaluateScores([1, 1, 0, 0], [1, 1, 0, 0], 0.5).ece.value).toBe(0);
  });

  it('gives the same interval for the same seed, another for another', () => {
    const { p, y } = calibrated(150);
    const once = evaluateScores(p, y, 0.5, { resamples: 300 });
    expect(evaluateScores(p, y, 0.5, { resamples: 300 })).toEqual(once);
    expect(evaluateScores(p, y, 0.5, { resamples: 300, seed: 2 })).not.toEqual(once);
  });

  it('gives the interval that theory gives', () => {
    const n = 400;
    const p = Array.from({ length: 2 * n }, (_, i) => (i % 10 < 8 === i < n ? 0.9 : 0.1));
    const y = Array.from({ length: 2 * n }, (_, i) => (i < n ? 1 : 0));
    const { sensitivity } = evaluateScores(p, y, 0.5);
    // Binomial: 0.8 +- 1.96 * sqrt(0.8 * 0.2 / 400) = 0.8 +- 0.0392.
    expect(sensitivity.value).toBeCloseTo(0.8, 12);
    expect(sensitivity.low).toBeGreaterThan(0.8 - 0.0392 - 0.008);
    expect(sensitivity.low).toBeLessThan(0.8 - 0.0392 + 0.008);
    expect(sensitivity.high).toBeGreaterThan(0.8 + 0.0392 - 0.008);
    expect(sensitivity.high).toBeLessThan(0.8 + 0.0392 + 0.008);
  });

  it('holds every value within its interval', () => {
    const { p, y } = calibrated(2000);
    const metrics = evaluateScores(p, y, 0.5, { resamples: 200 });
    for (const name of ['auc', 'accuracy', 'sensitivity', 'specificity', 'brier', 'ece'] as const) {
      const { value, low, high } = metrics[name];
      expect(low).toBeLessThanOrEqual(value);
      expect(value).toBeLessThanOrEqual(high);
      expect(high - low).toBeGreaterThan(0);
    }
  });

  it('takes less than 2 seconds for 624 films', () => {
    const { p, y } = calibrated(624);
    const began = performance.now();
    evaluateScores(p, y, 0.5);
    expect(performance.now() - began).toBeLessThan(2000);
  });

  it('refuses what is no probability, and a missing class', () => {
    expect(() => evaluateScores([0.2, 1.2], [0, 1], 0.5)).toThrow('not 1.2');
    expect(() => evaluateScores([0.2, 0.3], [0, 0], 0.5)).toThrow(MetricsError);
  });
});
