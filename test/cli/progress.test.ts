import { describe, expect, it } from 'vitest';
import { createProgress, duration } from '../../cli/progress.ts';

function setup(isTTY: boolean) {
  let clock = 0;
  let written = '';
  const stream = { isTTY, columns: 60, write: (text: string) => (written += text) };
  const progress = createProgress('Reading', 200, { unit: 'images', stream, now: () => clock });
  const at = (seconds: number, done: number, note?: string) => {
    clock = seconds * 1000;
    progress.update(done, note);
  };
  return {
    at,
    progress,
    text: () => written,
    advance: (seconds: number) => (clock = seconds * 1000),
  };
}

describe('createProgress', () => {
  it('writes a plain line every ten seconds where there is no terminal', () => {
    const { at, text } = setup(false);
    for (let second = 1; second <= 25; second++) at(second, second * 4);
    expect(text()).toBe(
      'Reading: 40/200 (20 %), 4.00 images/s, 40 s left\n' +
        'Reading: 80/200 (40 %), 4.00 images/s, 30 s left\n',
    );
  });

  it('redraws one line on a terminal, at most ten times a second, never wider than it', () => {
    const { at, text } = setup(true);
    at(1, 10);
    at(1.05, 11);
    at(1.2, 12, 'a note that is much longer than the terminal is wide');
    const lines = text().split('\r\x1b[2K').slice(1);
    expect(lines).toHaveLength(2);
    expect(lines[0]).toBe('Reading: 10/200 (5 %), 10.0 images/s, 19 s left');
    expect(lines[1]!.length).toBe(59);
    expect(text()).not.toContain('\n');
  });

  it('ends with how long it took', () => {
    const { at, progress, text, advance } = setup(false);
    at(1, 100);
    at(2, 200);
    advance(2);
    progress.done();
    expect(text()).toBe('Reading: 200 in 2.0 s, 100 images/s\n');
  });

  it('does not count what an earlier run had finished as speed', () => {
    let written = '';
    let clock = 0;
    const stream = { write: (text: string) => (written += text) };
    const progress = createProgress('Training', 300, { start: 200, stream, now: () => clock });
    clock = 10_000;
    progress.update(250);
    expect(written).toBe('Training: 250/300 (83 %), 5.00/s, 10 s left\n');
  });
});

describe('duration', () => {
  it.each([
    [0.44, '0.4 s'],
    [59.4, '59 s'],
    [200, '3 min 20 s'],
    [7500, '2 h 5 min'],
  ])('says %d seconds as %s', (seconds, text) => expect(duration(seconds)).toBe(text));
});
