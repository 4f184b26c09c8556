import { describe, expect, it } from 'vitest';
import { createRandom } from '../../reader/random.ts';
import {
  augment,
  type AugmentConfig,
  centralCrop,
  matchHistogram,
  STRONG,
} from '../../training/augment.ts';

const SIDE = 52;
const SIZE = 48;
const random = createRandom(3);
const film = Uint8Array.from(
  { length: SIDE * SIDE },
  (_, i) => ((i % SIDE) / SIDE) * 180 + random.integer(20),
);
const donor = Uint8Array.from(film, (level) => 255 - level);

const NONE: AugmentConfig = {
  ...Object.fromEntries(Object.keys(STRONG).map((key) => [key, 0])),
  histogramStrength: [1, 1],
} as unknown as AugmentConfig;

function apply(config: AugmentConfig, seed = 1): Float32Array {
  const target = new Float32Array(SIZE * SIZE);
  augment(film, donor, SIDE, target, SIZE, config, createRandom(seed));
  return target;
}

const untouched = new Float32Array(SIZE * SIZE);
centralCrop(film, SIDE, untouched, SIZE);

describe('augment', () => {
  it('leaves a film as the central crop when nothing is asked for', () => {
    const result = apply(NONE);
    for (let i = 0; i < result.length; i++) expect(result[i]).toBeCloseTo(untouched[i]!, 2);
  });

  it('repeats itself for a seed and differs for another', () => {
    expect(apply(STRONG, 5)).toEqual(apply(STRONG, 5));
    expect(apply(STRONG, 5)).not.toEqual(apply(STRONG, 6));
  });

  it('stays within the grey range and finite for many seeds', () => {
    for (let seed = 0; seed < 200; seed++) {
      for (const value of apply(STRONG, seed)) {
        if (!(value >= 0 && value <= 255)) expect.fail(`seed ${seed} gave ${value}`);
      }
    }
  });

  it('never writes into the film it was given', () => {
    const before = Uint8Array.from(film);
    for (let seed = 0; seed < 50; seed++)
      apply({ ...STRONG, cornerErase: 0.5, cornerMark: 0.5 }, seed);
    expect(film).toEqual(before);
  });

  it('mirrors a film when it flips it', () => {
    const result = apply({ ...NONE, flip: 1 });
    for (let y = 0; y < SIZE; y++) {
      for (let x = 0; x < SIZE; x++) {
        expect(result[y * SIZE + x]).toBeCloseTo(untouched[y * SIZE + SIZE - 1 - x]!, 2);
      }
    }
  });

  it('changes corners only when it paints corners', () => {
    const result = apply({ ...NONE, cornerErase: 1 });
    const middle = (SIZE / 2) * SIZE + SIZE / 2;
    expect(result[middle]).toBeCloseTo(untouched[middle]!, 2);
    expect(result.some((value, i) => Math.abs(value - untouched[i]!) > 5)).toBe(true);
  });

  it('gives a film the histogram of another', () => {
    const curve = matchHistogram(film, donor);
    const mapped = Array.from(film, (level) => curve[level]!).sort((a, b) => a - b);
    const wanted = Array.from(donor).sort((a, b) => a - b);
    const error = mapped.reduce((sum, value, i) => sum + Math.abs(value - wanted[i]!), 0);
    expect(error / mapped.length).toBeLessThan(2);
  });
});
