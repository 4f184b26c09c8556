import { describe, expect, it } from 'vitest';
import { createRandom } from '../../reader/random.ts';
import {
  chooseOperatingPoint,
  confidentAnswers,
  fitPlatt,
  sigmoid,
} from '../../training/calibrate.ts';

/** Normal logits of both classes, `gap` apart in units of their standard deviation. */
function draw(count: number, share: number, gap: number, seed: number) {
  const random = createRandom(seed);
  const labels = Array.from({ length: count }, () => (random.uniform() < share ? 1 : 0));
  const logits = labels.map((label) => random.normal() + (label ? gap / 2 : -gap / 2));
  return { labels, logits };
}

describe('fitPlatt', () => {
  it('recovers the true log-odds at equal priors, whatever the mix of the films', () => {
    // Two unit normals `gap` apart have log-odds gap * x at equal priors.
    for (const share of [0.5, 0.8]) {
      const { labels, logits } = draw(40_000, share, 2, 11);
      const { slope, offset } = fitPlatt(logits, labels);
      expect(slope).toBeCloseTo(2, 1);
      expect(offset).toBeCloseTo(0, 1);
    }
  });

  it('undoes a scaling and a shift', () => {
    const { labels, logits } = draw(5000, 0.6, 2, 5);
    const plain = fitPlatt(logits, labels);
    const moved = fitPlatt(
      logits.map((x) => 3 * x + 4),
      labels,
    );
    expect(moved.slope * 3).toBeCloseTo(plain.slope, 2);
    expect(moved.offset + moved.slope * 4).toBeCloseTo(plain.offset, 2);
  });

  it('stays finite on separable films', () => {
    const { slope, offset } = fitPlatt([-3, -2, 2, 3], [0, 0, 1, 1]);
    expect(Number.isFinite(slope) && Number.isFinite(offset)).toBe(true);
  });
});

describe('chooseOperatingPoint', () => {
  const { labels, logits } = draw(4000, 0.7, 3.6, 2);
  const probabilities = logits.map((x) => sigmoid(3.6 * x));
  const point = chooseOperatingPoint(probabilities, labels, 0.95, 'a test');

  it('finds the asked share of the positives', () => {
    const positives = probabilities.filter((_, i) => labels[i] === 1);
    const found = positives.filter((p) => p >= point.threshold).length / positives.length;
    expect(found).toBeGreaterThanOrEqual(0.95);
    expect(found).toBeLessThan(0.955);
  });

  it('puts the narrowest band around it that makes the rest 98 % right', () => {
    expect(point.uncertain.low).toBeLessThan(point.threshold);
    expect(point.uncertain.high).toBeGreaterThan(point.threshold);
    const { accuracy, uncertain } = confidentAnswers(probabilities, labels, point);
    expect(accuracy).toBeGreaterThanOrEqual(0.98);
    expect(uncertain).toBeLessThanOrEqual(0.15);
    const narrower = (p: number) => p + (point.threshold - p) * 0.3;
    const tight = {
      ...point,
      uncertain: { low: narrower(point.uncertain.low), high: narrower(point.uncertain.high) },
    };
    expect(confidentAnswers(probabilities, labels, tight).accuracy).toBeLessThan(0.98);
  });

  it('never leaves more than 15 % uncertain, even where nothing can be told', () => {
    const noise = draw(2000, 0.5, 0, 9);
    const flat = noise.logits.map((x) => sigmoid(0.1 * x));
    const blind = chooseOperatingPoint(flat, noise.labels, 0.95, 'a test');
    expect(confidentAnswers(flat, noise.labels, blind).uncertain).toBeLessThanOrEqual(0.1501);
  });

  it('has no band where no answer is wrong', () => {
    const clear = chooseOperatingPoint([0.01, 0.02, 0.9, 0.99], [0, 0, 1, 1], 0.95, 'a test');
    expect(confidentAnswers([0.01, 0.02, 0.9, 0.99], [0, 0, 1, 1], clear).uncertain).toBe(0);
  });
});
