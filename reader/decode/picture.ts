import { FilmError, MAX_PIXELS, MIN_SIDE } from '../film.ts';
import type { Orientation } from './orientation.ts';

/** What a codec returns: 8-bit samples as stored, before grey conversion and turning. */
export interface Picture {
  width: number;
  height: number;
  /** 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha. */
  channels: 1 | 2 | 3 | 4;
  /** Row-major, interleaved, length `width * height * channels`. */
  samples: Uint8Array;
  orientation: Orientation;
}

/**
 * Refuses a picture by the size its header states, before a byte of memory is spent on it.
 * @throws FilmError `too-large`, `too-small`, or `corrupt` for a side of 0.
 */
export function checkSize(width: number, height: number): void {
  const detail = `${width} x ${height} pixels`;
  if (width < 1 || height < 1) throw new FilmError('corrupt', `its header says ${detail}`);
  if (width * height > MAX_PIXELS) throw new FilmError('too-large', detail);
  if (Math.min(width, height) < MIN_SIDE) throw new FilmError('too-small', detail);
}
