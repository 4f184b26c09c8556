/** Reports long work on stderr, so that `--json` on stdout stays clean. */
export interface Progress {
  /** `done` of the total is finished; `note` goes behind the figures, such as the loss. */
  update(done: number, note?: string): void;
  /** Ends the report with one line that says how long it took. */
  done(note?: string): void;
}

export interface ProgressOptions {
  /** Part of the total that was finished before, in an earlier run; it does not count as speed. */
  start?: number;
  /** What is counted, for instance `images`. */
  unit?: string;
  stream?: { isTTY?: boolean; columns?: number; write(text: string): unknown };
  /** Milliseconds on a clock that never goes back. */
  now?: () => number;
}

/** Milliseconds between redraws on a terminal, and between lines elsewhere (a log, CI). */
const REDRAW_EVERY = 100;
const LINE_EVERY = 10_000;

/**
 * A progress report with percent, speed and time left: one line that redraws itself on a terminal,
 * a plain line every ten seconds elsewhere. It is shown with `--json` too, being on stderr.
 */
export function createProgress(
  label: string,
  total: number,
  {
    start = 0,
    unit = '',
    stream = process.stderr,
    now = () => performance.now(),
  }: ProgressOptions = {},
): Progress {
  const began = now();
  let shown = stream.isTTY ? -Infinity : began;
  let last = start;

  const speed = (done: number) => {
    const seconds = (now() - began) / 1000;
    return seconds > 0 ? (done - start) / seconds : 0;
  };

  const figures = (done: number, note: string) => {
    const rate = speed(done);
    return [
      `${label}: ${done}/${total} (${Math.floor((100 * done) / Math.max(1, total))} %)`,
      ...(rate > 0 ? [`${rateText(rate)}${unit && ` ${unit}`}/s`] : []),
      ...(rate > 0 && done < total ? [`${duration((total - done) / rate)} left`] : []),
      ...(note ? [note] : []),
    ].join(', ');
  };

  return {
    update(done, note = '') {
      last = done;
      if (now() - shown < (stream.isTTY ? REDRAW_EVERY : LINE_EVERY)) return;
      shown = now();
      const line = figures(done, note);
      // A line wider than the terminal would wrap, and the next redraw leave its first part behind.
      if (stream.isTTY) stream.write(`\r\x1b[2K${line.slice(0, (stream.columns ?? 80) - 1)}`);
      else stream.write(`${line}\n`);
    },
    done(note = '') {
      const rate = speed(last);
      const took = `${label}: ${last} in ${duration((now() - began) / 1000)}`;
      const tail = [
        ...(rate > 0 ? [`${rateText(rate)}${unit && ` ${unit}`}/s`] : []),
        ...(note ? [note] : []),
      ];
      stream.write(`${stream.isTTY ? '\r\x1b[2K' : ''}${[took, ...tail].join(', ')}\n`);
    },
  };
}

const rateText = (rate: number): string => rate.toFixed(rate < 10 ? 2 : rate < 100 ? 1 : 0);

/** Seconds as people say them: `8 s`, `3 min 20 s`, `2 h 5 min`. */
export function duration(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  const minutes = Math.round(whole / 60);
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
