import { describe, expect, it } from 'vitest';
import { drawPhantom } from '../../reader/phantom.ts';
import { refusals } from '../../reader/reading.ts';
import type { Film } from '../../reader/film.ts';

const draw = (seed: number, consolidation = 0) =>
  drawPhantom({ width: 229, height: 200, seed, consolidation });

/** Mean grey in a box given in shares of the film. */
function meanIn(
  { grey, width, height }: Film,
  x0: number,
  x1: number,
  y0: number,
  y1: number,
): number {
  let sum = 0;
  let count = 0;
  for (let y = Math.round(y0 * height); y < y1 * height; y++) {
    for (let x = Math.round(x0 * width); x < x1 * width; x++) {
      sum += grey[y * width + x]!;
      count += 1;
    }
  }
  return sum / count;
}

const lungs = (film: Film) =>
  (meanIn(film, 0.22, 0.38, 0.3, 0.6) + meanIn(film, 0.64, 0.78, 0.3, 0.6)) / 2;

describe('drawPhantom', () => {
  it('draws the same film for the same options', () => {
    expect(draw(1, 0.5)).toEqual(draw(1, 0.5));
    expect(draw(1, 0.5).grey).not.toEqual(draw(2, 0.5).grey);
  });

  it('has the size asked for, at any shape', () => {
    for (const [width, height] of [
      [64, 64],
      [300, 200],
      [120, 333],
    ] as const) {
      const film = drawPhantom({ width, height, seed: 3, consolidation: 0 });
      expect(film.grey.length).toBe(width * height);
      expect(refusals(film)).toEqual([]);
    }
    expect(() => drawPhantom({ width: 8, height: 8, seed: 1, consolidation: 0 })).toThrow(
      RangeError,
    );
  });

  it('shows a chest: lungs darker than heart and abdomen, air black', () => {
    for (let seed = 1; seed <= 10; seed++) {
      const film = draw(seed);
      const heart = meanIn(film, 0.5, 0.58, 0.52, 0.64);
      const abdomen = meanIn(film, 0.3, 0.45, 0.9, 0.98);
      expect(lungs(film)).toBeLessThan(heart - 40);
      expect(lungs(film)).toBeLessThan(abdomen - 40);
      expect(meanIn(film, 0.02, 0.05, 0.7, 0.9)).toBeLessThan(30);
    }
  });

  it('gets brighter lungs with consolidation, and nothing else changes', () => {
    for (let seed = 1; seed <= 10; seed++) {
      const [healthy, half, full] = [draw(seed), draw(seed, 0.5), draw(seed, 1)];
      expect(lungs(half)).toBeGreaterThan(lungs(healthy));
      expect(lungs(full)).toBeGreaterThan(lungs(half));
      const below = (film: Film) => meanIn(film, 0.1, 0.9, 0.9, 0.98);
      expect(below(full)).toBeCloseTo(below(healthy), 5);
    }
  });

  it('looks the same at every size', () => {
    const small = drawPhantom({ width: 114, height: 100, seed: 9, consolidation: 0.7 });
    const large = drawPhantom({ width: 456, height: 400, seed: 9, consolidation: 0.7 });
    expect(Math.abs(lungs(small) - lungs(large))).toBeLessThan(4);
  });
});
