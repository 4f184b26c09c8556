import { FilmError } from '../film.ts';
import { readOrientation, type Orientation } from './orientation.ts';
import { checkSize } from './picture.ts';

/** What a JPEG's markers say (ITU-T T.81, annex B), read without decoding. */
export interface JpegStructure {
  width: number;
  height: number;
  components: 1 | 3 | 4;
  /** Whether an Adobe APP14 marker tells how four components are meant. */
  adobe: boolean;
  orientation: Orientation;
  /** False when the data end without the end marker although all scans have begun. */
  ended: boolean;
}

const SOI = 0xd8;
const EOI = 0xd9;
const SOS = 0xda;
const APP1 = 0xe1;
const APP14 = 0xee;

const isStandalone = (marker: number) => marker === 0x01 || (marker >= 0xd0 && marker <= SOI);
const isRestart = (marker: number) => marker >= 0xd0 && marker <= 0xd7;
const isFrame = (marker: number) =>
  marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;

/** Frame types that libjpeg-turbo's 8-bit build does not read, nor any browser. */
function unsupportedFrame(marker: number): string | null {
  if (marker <= 0xc2) return null;
  if (marker === 0xc3) return 'lossless JPEG';
  return marker >= 0xc9 && marker <= 0xcb ? 'arithmetic-coded JPEG' : 'hierarchical JPEG';
}

/**
 * Walks a JPEG's markers to its end.
 * @throws FilmError `truncated` when segments or scans are missing, `corrupt`, `too-large`,
 * `too-small`, `unsupported-format`.
 */
export function readJpegStructure(bytes: Uint8Array): JpegStructure {
  let frame: { marker: number; width: number; height: number; components: 1 | 3 | 4 } | undefined;
  let adobe = false;
  let orientation: Orientation = 1;
  let scans = 0;
  let scanned = 0;
  let at = 2;

  for (;;) {
    if (at + 2 > bytes.length) break;
    if (bytes[at] !== 0xff) throw new FilmError('corrupt', `no marker at byte ${at}`);
    const marker = bytes[at + 1]!;
    if (marker === 0xff) {
      at += 1;
      continue;
    }
    at += 2;
    if (marker === EOI) {
      if (!frame || scans === 0) throw new FilmError('corrupt', 'it holds no image data');
      return { ...frame, adobe, orientation, ended: true };
    }
    if (isStandalone(marker)) continue;
    const length = at + 2 <= bytes.length ? (bytes[at]! << 8) | bytes[at + 1]! : 0;
    if (at + 2 > bytes.length || at + length > bytes.length) throw new FilmError('truncated');
    if (length < 2) throw new FilmError('corrupt', `an empty segment at byte ${at}`);
    const segment = bytes.subarray(at + 2, at + length);
    at += length;

    if (isFrame(marker)) {
      // A second frame belongs to hierarchical JPEG only.
      if (frame) throw new FilmError('corrupt', 'it states its size twice');
      frame = { marker, ...readFrame(marker, segment) };
    } else if (marker === 0xf7) {
      throw new FilmError('unsupported-format', 'JPEG-LS');
    } else if (marker === APP1 && startsWith(segment, 'Exif\0')) {
      orientation = readOrientation(segment.subarray(6));
    } else if (marker === APP14 && startsWith(segment, 'Adobe')) {
      adobe = true;
    } else if (marker === SOS) {
      if (!frame) throw new FilmError('corrupt', 'its size is missing');
      scans += 1;
      scanned += segment[0] ?? 0;
      at = endOfScan(bytes, at);
    }
  }
  // Only the end marker may be missing, and only where the decoder notices missing data: a
  // progressive picture decodes from any number of scans, just blurred.
  const allBegun = frame && frame.marker !== 0xc2 && scanned >= frame.components;
  if (!frame || !allBegun) throw new FilmError('truncated');
  return { ...frame, adobe, orientation, ended: false };
}

function readFrame(marker: number, segment: Uint8Array) {
  const unsupported = unsupportedFrame(marker);
  if (unsupported) throw new FilmError('unsupported-format', unsupported);
  if (segment.length < 6) throw new FilmError('corrupt', 'its frame header is too short');
  const [precision, h1, h0, w1, w0, components] = segment as unknown as number[];
  if (precision !== 8) throw new FilmError('unsupported-format', `${precision}-bit JPEG`);
  const width = (w1! << 8) | w0!;
  const height = (h1! << 8) | h0!;
  checkSize(width, height);
  if (components !== 1 && components !== 3 && components !== 4) {
    throw new FilmError('unsupported-format', `JPEG with ${components} components`);
  }
  return { width, height, components: components as 1 | 3 | 4 };
}

/** First byte after a scan's entropy-coded data: the next marker that is no restart marker. */
function endOfScan(bytes: Uint8Array, from: number): number {
  let at = bytes.indexOf(0xff, from);
  while (at !== -1 && at + 1 < bytes.length) {
    const next = bytes[at + 1]!;
    if (next !== 0x00 && next !== 0xff && !isRestart(next)) return at;
    at = bytes.indexOf(0xff, next === 0xff ? at + 1 : at + 2);
  }
  return bytes.length;
}

function startsWith(segment: Uint8Array, text: string): boolean {
  if (segment.length < text.length) return false;
  for (let i = 0; i < text.length; i++) if (segment[i] !== text.charCodeAt(i)) return false;
  return true;
}
