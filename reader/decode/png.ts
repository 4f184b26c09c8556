import { decode, type DecodedPng } from 'fast-png';
import { FilmError } from '../film.ts';
import { readOrientation, type Orientation } from './orientation.ts';
import { checkSize, type Picture } from './picture.ts';

const SIGNATURE_LENGTH = 8;

/**
 * Decodes a PNG of any kind: grey, RGB, palette, with alpha, interlaced, 1 to 16 bits a sample.
 *
 * 16-bit samples become 8 bits linearly from the depth in use: X-ray detectors deliver 10 to 14
 * bits, and many programs store them unscaled in a 16-bit file, which would come out black. So the
 * largest sample tells the range: up to 255 is taken as 8 bits, up to 1,023 as 10, up to 4,095
 * as 12, up to 16,383 as 14, else 16.
 * @throws FilmError `truncated`, `corrupt`, `too-large`, `too-small`, `unsupported-format` for
 * interlaced files of less than 8 bits.
 */
export async function decodePng(bytes: Uint8Array): Promise<Picture> {
  const { before, compressed, orientation, inflatedSize } = readPngStructure(bytes);
  const inflated = await inflate(compressed, inflatedSize);
  let png: DecodedPng;
  try {
    png = decode(concat([...before, chunk('IDAT', stored(inflated)), chunk('IEND', EMPTY)]));
  } catch (cause) {
    throw new FilmError('corrupt', cause instanceof Error ? cause.message : String(cause));
  }
  const { width, height } = png;
  return { width, height, orientation, ...samplesOf(png) };
}

/** Walks the chunks (PNG 3rd edition, section 5) and checks each, ancillary ones included. */
function readPngStructure(bytes: Uint8Array) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  /** Signature and the chunks before the pixels that say what they mean. */
  const before = [bytes.subarray(0, SIGNATURE_LENGTH)];
  const compressed: Uint8Array<ArrayBuffer>[] = [];
  let orientation: Orientation = 1;
  let inflatedSize = 0;
  let at = SIGNATURE_LENGTH;
  for (let type = ''; type !== 'IEND';) {
    if (at + 12 > bytes.length) throw new FilmError('truncated');
    const length = view.getUint32(at);
    type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (!/^[A-Za-z]{4}$/.test(type)) throw new FilmError('corrupt', `no chunk at byte ${at}`);
    const end = at + 12 + length;
    if (end > bytes.length) throw new FilmError('truncated');
    if (crc32(bytes.subarray(at + 4, end - 4)) !== view.getUint32(end - 4)) {
      throw new FilmError('corrupt', `checksum of its ${type} chunk`);
    }
    const data = bytes.slice(at + 8, end - 4);
    if ((at === SIGNATURE_LENGTH) !== (type === 'IHDR')) {
      throw new FilmError('corrupt', 'its header is not where it belongs');
    }
    if (type === 'IHDR') inflatedSize = readHeader(data);
    if (type === 'eXIf') orientation = readOrientation(data);
    if (['IHDR', 'PLTE', 'tRNS'].includes(type)) before.push(bytes.subarray(at, end));
    if (type === 'IDAT') compressed.push(data);
    at = end;
  }
  return { before, compressed, orientation, inflatedSize };
}

const SAMPLES_OF_COLOUR_TYPE: Record<number, number> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

/** First column, first row, column step, row step of the seven passes of Adam7. */
const ADAM7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;

/** Checks the header and tells how many bytes its filtered rows take, uncompressed. */
function readHeader(header: Uint8Array): number {
  if (header.length !== 13) throw new FilmError('corrupt', 'its header has the wrong length');
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  const width = view.getUint32(0);
  const height = view.getUint32(4);
  checkSize(width, height);
  const depth = header[8]!;
  const samples = SAMPLES_OF_COLOUR_TYPE[header[9]!];
  const interlaced = header[12]! === 1;
  if (![1, 2, 4, 8, 16].includes(depth) || samples === undefined) {
    throw new FilmError('corrupt', 'its header names no known kind of pixel');
  }
  // fast-png takes each sample of a pass for a whole byte.
  if (interlaced && depth < 8) {
    throw new FilmError('unsupported-format', `interlaced PNG with ${depth} bits a sample`);
  }
  const size = (columns: number, rows: number) =>
    columns === 0 ? 0 : rows * (1 + Math.ceil((columns * samples * depth) / 8));
  if (!interlaced) return size(width, height);
  return ADAM7.reduce(
    (sum, [x, y, dx, dy]) => sum + size(Math.ceil((width - x) / dx), Math.ceil((height - y) / dy)),
    0,
  );
}

/**
 * Inflates exactly `size` bytes and no more: a small file can hold gigabytes of zeros, and
 * fast-png, which takes the result from here, would unpack them all, or take missing rows for black.
 */
async function inflate(parts: Uint8Array<ArrayBuffer>[], size: number): Promise<Uint8Array> {
  const inflated = new Uint8Array(size);
  let filled = 0;
  const reader = new Blob(parts)
    .stream()
    .pipeThrough(new DecompressionStream('deflate'))
    .getReader();
  try {
    while (filled < size) {
      const { done, value } = await reader.read();
      if (done) break;
      inflated.set(value.subarray(0, size - filled), filled);
      filled += value.length;
    }
  } catch {
    throw new FilmError('corrupt', 'its compressed data');
  } finally {
    await reader.cancel().catch(() => {});
  }
  if (filled < size) throw new FilmError('corrupt', 'it holds fewer rows than it states');
  return inflated;
}

/** Wraps bytes as a zlib stream of stored blocks (RFC 1950, RFC 1951 section 3.2.4). */
function stored(bytes: Uint8Array): Uint8Array {
  const BLOCK = 0xffff;
  const blocks = Math.ceil(bytes.length / BLOCK);
  const out = new Uint8Array(2 + 5 * blocks + bytes.length + 4);
  out.set([0x78, 0x01]);
  let to = 2;
  for (let from = 0; from < bytes.length; from += BLOCK) {
    const block = bytes.subarray(from, from + BLOCK);
    const last = from + BLOCK >= bytes.length ? 1 : 0;
    const { length } = block;
    out.set([last, length & 255, length >> 8, ~length & 255, (~length >> 8) & 255], to);
    out.set(block, to + 5);
    to += 5 + length;
  }
  return out;
}

const EMPTY = new Uint8Array(0);

/** A chunk without its checksum, which fast-png is not asked to verify again. */
function chunk(type: string, data: Uint8Array): Uint8Array {
  const out = new Uint8Array(12 + data.length);
  new DataView(out.buffer).setUint32(0, data.length);
  for (let i = 0; i < 4; i++) out[4 + i] = type.charCodeAt(i);
  out.set(data, 8);
  return out;
}

function concat(parts: Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Samples as 8-bit grey or RGB, with alpha where the file has it. */
function samplesOf(png: DecodedPng): Pick<Picture, 'channels' | 'samples'> {
  if (png.palette) return paletteSamples(png, png.palette);
  const channels = png.channels as 1 | 2 | 3 | 4;
  const raw = png.depth < 8 ? unpack(png) : png.data;
  const samples = raw instanceof Uint16Array ? narrow(raw, channels) : widen(raw, png.depth);
  if (!png.transparency) return { channels, samples };
  return withColourKey(raw, samples, channels, png.transparency);
}

function paletteSamples(
  png: DecodedPng,
  palette: number[][],
): Pick<Picture, 'channels' | 'samples'> {
  const indices = png.depth < 8 ? unpack(png) : png.data;
  const channels = palette.some((colour) => colour.length === 4) ? 4 : 3;
  const samples = new Uint8Array(indices.length * channels);
  for (let i = 0; i < indices.length; i++) {
    const colour = palette[indices[i]!];
    if (!colour) throw new FilmError('corrupt', 'a pixel points outside its palette');
    for (let c = 0; c < channels; c++) samples[i * channels + c] = colour[c] ?? 255;
  }
  return { channels, samples };
}

/** Spreads samples of 1, 2 or 4 bits to a byte each; every row starts on a byte. */
function unpack({ width, height, depth, data }: DecodedPng): Uint8Array {
  const out = new Uint8Array(width * height);
  const rowBytes = Math.ceil((width * depth) / 8);
  const mask = (1 << depth) - 1;
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const bit = x * depth;
      const byte = data[y * rowBytes + (bit >> 3)]!;
      out[to++] = (byte >> (8 - depth - (bit & 7))) & mask;
    }
  }
  return out;
}

function widen(values: Uint8Array | Uint8ClampedArray, depth: number): Uint8Array {
  if (depth === 8 && values instanceof Uint8Array) return values;
  const step = 255 / ((1 << depth) - 1);
  return Uint8Array.from(values, (value) => value * step);
}

/** 16-bit samples to 8 bits, linearly from the depth in use; alpha always has all 16. */
function narrow(values: Uint16Array, channels: number): Uint8Array {
  const alphaAt = channels === 2 || channels === 4 ? channels - 1 : -1;
  let largest = 0;
  for (let i = 0; i < values.length; i++) {
    if (i % channels !== alphaAt && values[i]! > largest) largest = values[i]!;
  }
  const white = [8, 10, 12, 14, 16].map((bits) => 2 ** bits - 1).find((full) => largest <= full)!;
  const out = new Uint8Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const full = i % channels === alphaAt ? 0xffff : white;
    out[i] = Math.round((values[i]! * 255) / full);
  }
  return out;
}

/** Grey or RGB with one colour declared transparent (tRNS), as samples with alpha. */
function withColourKey(
  raw: ArrayLike<number>,
  samples: Uint8Array,
  channels: 1 | 2 | 3 | 4,
  key: Uint16Array,
): Pick<Picture, 'channels' | 'samples'> {
  const withAlpha = channels === 1 ? 2 : 4;
  const pixels = samples.length / channels;
  const out = new Uint8Array(pixels * withAlpha);
  for (let i = 0; i < pixels; i++) {
    let transparent = true;
    for (let c = 0; c < channels; c++) {
      out[i * withAlpha + c] = samples[i * channels + c]!;
      transparent &&= raw[i * channels + c] === key[c];
    }
    out[i * withAlpha + withAlpha - 1] = transparent ? 0 : 255;
  }
  return { channels: withAlpha, samples: out };
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});

/** CRC-32 (PNG 3rd edition, annex D). */
function crc32(bytes: Uint8Array): number {
  let c = 0xffffffff;
  for (const byte of bytes) c = CRC_TABLE[(c ^ byte) & 255]! ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}
