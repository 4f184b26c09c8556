import { deflateSync } from 'node:zlib';
import { drawPhantom } from '../../reader/phantom.ts';
import { encodeJpeg, type JpegSettings } from '../phantom-files.ts';

/**
 * A CMYK JPEG as Adobe writes it, 64 x 64, a gradient by Pillow 13 (quality 60): 40 cyan, black ink
 * 255 - (2 x column + row). Pillow's own grey at a few points stands in the test.
 */
export const CMYK_JPEG = Buffer.from(
  '/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwANCQoLCggNCwoLDg4NDxMgFRMSEhMnHB4XIC4pMTAuKS0sMzpKPjM2RjcsLUBXQUZMTlJTUjI+WmFaUGBKUVJP/8AAFAgAQABABEMRAE0RAFkRAEsRAP/EABcAAQEBAQAAAAAAAAAAAAAAAAAEBwb/xAAWEAEBAQAAAAAAAAAAAAAAAAAAAgP/2gAOBEMATQBZAEsAAD8A7ZpzTmb5yAqzkBTnICrOQFWcgKs5AVZyAqzkBn+cgKc5AVZyAqzkBVnICrOQFWcgKs5AZ/nICnOQFWcgKs5AVZyAqzkBVnICnOQGf5yAqzkBVnICrOQFWcgKs5AVZyApzkBn+cgKs5AVZyAqzkBVnICrOQFOcgKs5AZ/nICrOQFWcgKs5AVZyAqzkBTnICrOQGf5yAqzkBVnICrOQFWcgKc5AVZyAqzkBn+cgKs5AVZyAqzkBVnICnOQFWcgKs5f/9k=',
  'base64',
);

/** A small drawn film. */
export const film = drawPhantom({ width: 150, height: 130, seed: 4, consolidation: 0.5 });

/** A picture of the world: saturated colours, as RGB samples. */
export function colourPhoto(width: number, height: number) {
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i++) {
    const x = i % width;
    const y = Math.floor(i / width);
    data.set([(x * 255) / width, 200 - (y * 150) / height, 128 + 120 * Math.sin(x / 9)], 3 * i);
  }
  return { width, height, channels: 3 as const, data };
}

/** A picture whose four corners differ: white top left, grey top right, the rest dark. */
export function corners(width: number, height: number) {
  const data = new Uint8Array(width * height).fill(20);
  const block = (left: number, top: number, value: number) => {
    for (let y = top; y < top + 24; y++) data.fill(value, y * width + left, y * width + left + 24);
  };
  block(0, 0, 250);
  block(width - 24, 0, 130);
  return { width, height, channels: 1 as const, data };
}

/** A JPEG with an EXIF block that carries an orientation. */
export async function jpegWithOrientation(
  orientation: number,
  samples: ReturnType<typeof corners>,
  settings?: JpegSettings,
): Promise<Uint8Array> {
  const jpeg = await encodeJpeg(samples, settings);
  const tiff = tiffWithOrientation(orientation);
  const exif = Buffer.concat([Buffer.from('Exif\0\0', 'latin1'), tiff]);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(exif.length + 2);
  const segment = Buffer.concat([Buffer.from([0xff, 0xe1]), length, exif]);
  return Buffer.concat([jpeg.subarray(0, 2), segment, jpeg.subarray(2)]);
}

/** A TIFF block with the one tag 0x0112, big-endian. */
export function tiffWithOrientation(orientation: number): Buffer {
  const tiff = Buffer.alloc(26);
  tiff.write('MM');
  tiff.writeUInt16BE(42, 2);
  tiff.writeUInt32BE(8, 4);
  tiff.writeUInt16BE(1, 8);
  tiff.writeUInt16BE(0x0112, 10);
  tiff.writeUInt16BE(3, 12);
  tiff.writeUInt32BE(1, 14);
  tiff.writeUInt16BE(orientation, 18);
  return tiff;
}

/** A JPEG header that states any size, with nothing behind it. */
export function jpegHeader(width: number, height: number, { precision = 8, marker = 0xc0 } = {}) {
  const [h1, h0, w1, w0] = [height >> 8, height & 255, width >> 8, width & 255];
  return Buffer.from([
    ...[0xff, 0xd8, 0xff, marker, 0, 11, precision, h1!, h0!, w1!, w0!, 1, 1, 0x11, 0],
    ...[0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0, 0x12, 0x34, 0xff, 0xd9],
  ]);
}

export interface PngParts {
  width: number;
  height: number;
  /** Bits a sample. */
  depth: number;
  /** PNG colour type: 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGB and alpha. */
  colourType: number;
  interlaced?: boolean;
  /** Rows as they go into the compressor, filter bytes included. */
  rows: Uint8Array;
  /** Chunks between header and pixels. */
  extra?: { type: string; data: Uint8Array }[];
}

const SIGNATURE = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');

/** Writes a PNG by hand, so that the decoder is not tested against its own library's writer. */
export function writePng(parts: PngParts): Buffer {
  const { width, height, depth, colourType, interlaced = false, rows, extra = [] } = parts;
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([depth, colourType, 0, 0, interlaced ? 1 : 0], 8);
  return Buffer.concat([
    SIGNATURE,
    pngChunk('IHDR', header),
    ...extra.map(({ type, data }) => pngChunk(type, data)),
    pngChunk('IDAT', deflateSync(rows)),
    pngChunk('IEND', new Uint8Array(0)),
  ]);
}

export function pngChunk(type: string, data: Uint8Array): Buffer {
  const chunk = Buffer.alloc(12 + data.length);
  chunk.writeUInt32BE(data.length, 0);
  chunk.write(type, 4, 'latin1');
  chunk.set(data, 8);
  chunk.writeUInt32BE(crc32(chunk.subarray(4, 8 + data.length)), 8 + data.length);
  return chunk;
}

/** CRC-32 bit by bit, as PNG annex D defines it. */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let k = 0; k < 8; k++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}

/** Rows with filter byte 0 from a function that gives the bytes of each row. */
export function plainRows(height: number, row: (y: number) => Iterable<number>): Uint8Array {
  return Uint8Array.from(Array.from({ length: height }, (_, y) => [0, ...row(y)]).flat());
}
