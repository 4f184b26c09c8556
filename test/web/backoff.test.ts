import { describe, expect, it } from 'vitest';
import { backoff } from '../../web/outbox/drain.ts';

const MINUTE = 60_000;

describe('backoff', () => {
  it('stays between a second and a ceiling that doubles from 5 s to 15 minutes', () => {
    for (let attempts = 1; attempts <= 40; attempts++) {
      const ceiling = Math.min(15 * MINUTE, 5000 * 2 ** (attempts - 1));
      expect(backoff(attempts, 0)).toBe(1000);
      expect(backoff(attempts, 0.999999)).toBeLessThanOrEqual(ceiling);
      expect(backoff(attempts, 0.999999)).toBeGreaterThan(0.99 * ceiling);
    }
  });

  it('spreads a hundred devices over the whole time', () => {
    const waits = Array.from({ length: 100 }, (_, i) => backoff(9, i / 100));
    expect(new Set(waits).size).toBe(100);
    expect(Math.max(...waits) - Math.min(...waits)).toBeGreaterThan(14 * MINUTE);
  });

  it('never becomes infinite or no number, however long the server is away', () => {
    expect(backoff(5000, 0.5)).toBe(Math.round(1000 + 0.5 * (15 * MINUTE - 1000)));
  });
});
