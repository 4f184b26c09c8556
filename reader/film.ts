/**
 * A film: one frontal chest X-ray as 8-bit grey pixels, the only form in which images travel
 * between decoder, trainer, model and screen.
 */
export interface Film {
  /** Pixels in a row. */
  width: number;
  /** Rows. */
  height: number;
  /** Row-major luminance, 0 (black) to 255 (white), length `width * height`. */
  grey: Uint8Array;
  /**
   * How much colour the file held: the mean over pixels of (max - min of R, G, B), in grey levels.
   * A grey film stored as RGB has 0; a scan with a tint a few; a photograph of the world tens.
   */
  colourfulness: number;
}

/** Why a file is no readable film. Every code has a sentence for people in `FILM_ERRORS`. */
export type FilmErrorCode =
  | 'empty-file'
  | 'not-an-image'
  | 'unsupported-format'
  | 'truncated'
  | 'corrupt'
  | 'too-large'
  | 'too-small';

/** What happened and what to do, in plain words. `{detail}` is filled with the specifics. */
export const FILM_ERRORS: Record<FilmErrorCode, string> = {
  'empty-file': 'The file is empty. Copy it again from where it came.',
  'not-an-image': 'This is not a picture. Choose a JPEG or PNG file of the film.',
  'unsupported-format': 'This kind of picture can not be read ({detail}). Save it as JPEG or PNG.',
  truncated: 'The picture is cut off before its end. Copy it again from where it came.',
  corrupt: 'The picture is damaged ({detail}). Copy it again from where it came.',
  'too-large': 'The picture is too large ({detail}). Save it with at most 64 megapixels.',
  'too-small': 'The picture is too small to judge ({detail}). Use one of at least 64 x 64 pixels.',
};

/** A file that can not become a film. `code` is stable; `message` is for people. */
export class FilmError extends Error {
  override name = 'FilmError';
  constructor(
    readonly code: FilmErrorCode,
    readonly detail = '',
  ) {
    super(FILM_ERRORS[code].replace(' ({detail})', detail ? ` (${detail})` : ''));
  }
}

/** Largest film accepted, in pixels: checked in the header, before a byte of memory is spent. */
export const MAX_PIXELS = 64_000_000;

/** Smallest side accepted, in pixels. */
export const MIN_SIDE = 64;

/** Mean and standard deviation of a film's grey levels, each 0 to 255. */
export function greyStatistics({ grey }: Pick<Film, 'grey'>): { mean: number; deviation: number } {
  let sum = 0;
  let squares = 0;
  for (const level of grey) {
    sum += level;
    squares += level * level;
  }
  const mean = sum / grey.length;
  return { mean, deviation: Math.sqrt(Math.max(0, squares / grey.length - mean * mean)) };
}
