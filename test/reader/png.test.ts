import { deflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { decodeFilm } from '../../reader/decode/index.ts';
import type { FilmError, FilmErrorCode } from '../../reader/film.ts';
import { filmPng } from '../phantom-files.ts';
import { film, plainRows, pngChunk, tiffWithOrientation, writePng } from './film-files.ts';

const SIDE = 72;

/** A PNG of SIDE x SIDE whose rows come from a function of the row number. */
function square(
  depth: number,
  colourType: number,
  row: (y: number) => Iterable<number>,
  extra: { type: string; data: Uint8Array }[] = [],
): Uint8Array {
  return writePng({
    width: SIDE,
    height: SIDE,
    depth,
    colourType,
    rows: plainRows(SIDE, row),
    extra,
  });
}

const columns = <T>(value: (x: number) => T): T[] =>
  Array.from({ length: SIDE }, (_, x) => value(x));
const big = (value: number): [number, number] => [value >> 8, value & 255];

async function firstRow(png: Uint8Array): Promise<number[]> {
  return [...(await decodeFilm(png)).grey.subarray(0, SIDE)];
}

async function expectCode(bytes: Uint8Array, code: FilmErrorCode): Promise<string> {
  const error = (await decodeFilm(bytes).catch((e: unknown) => e)) as FilmError;
  expect(error.code).toBe(code);
  return error.message;
}

describe('PNG', () => {
  it('gives back 8-bit grey exactly', async () => {
    const decoded = await decodeFilm(filmPng(film));
    expect([decoded.width, decoded.height, decoded.colourfulness]).toEqual([150, 130, 0]);
    expect(decoded.grey).toEqual(film.grey);
  });

  it.each([1, 2, 4])('spreads %i-bit grey over 0 to 255', async (depth) => {
    const most = 2 ** depth - 1;
    const packed = () => {
      const bytes = new Uint8Array(Math.ceil((SIDE * depth) / 8));
      columns((x) => {
        const bit = x * depth;
        bytes[bit >> 3]! |= (x % (most + 1)) << (8 - depth - (bit & 7));
      });
      return bytes;
    };
    const expected = columns((x) => Math.round(((x % (most + 1)) * 255) / most));
    expect(await firstRow(square(depth, 0, packed))).toEqual(expected);
  });

  it.each([
    // Largest value in the file, and the white that it is measured against.
    [65_535, 65_535],
    [40_000, 65_535],
    [16_000, 16_383],
    [4_000, 4_095],
    [1_000, 1_023],
    [200, 255],
  ])('scales a 16-bit file that goes up to %i by %i', async (largest, white) => {
    const value = (x: number) => Math.floor((x * largest) / (SIDE - 1));
    const png = square(16, 0, () => columns((x) => big(value(x))).flat());
    expect(await firstRow(png)).toEqual(columns((x) => Math.round((value(x) * 255) / white)));
  });

  it('takes RGB and palette as luma', async () => {
    // Red, green and blue weigh 0.299, 0.587 and 0.114.
    const colours = [
      [255, 0, 0],
      [0, 255, 0],
      [0, 0, 255],
    ];
    const luma = columns((x) => [76, 150, 29][x % 3]!);
    const rgb = square(8, 2, () => columns((x) => colours[x % 3]!).flat());
    const palette = { type: 'PLTE', data: Uint8Array.from(colours.flat()) };
    const indexed = square(8, 3, () => columns((x) => x % 3), [palette]);
    expect(await firstRow(rgb)).toEqual(luma);
    expect(await firstRow(indexed)).toEqual(luma);
    expect((await decodeFilm(rgb)).colourfulness).toBe(255);
  });

  it('lays transparency on black', async () => {
    const rgba = square(8, 6, () => columns((x) => [200, 200, 200, x]).flat());
    const greyAlpha = square(16, 4, () => columns((x) => [...big(0xc8c8), ...big(x * 257)]).flat());
    const expected = columns((x) => Math.round((200 * x) / 255));
    expect(await firstRow(rgba)).toEqual(expected);
    expect(await firstRow(greyAlpha)).toEqual(expected);

    const key = { type: 'tRNS', data: Uint8Array.from(big(50)) };
    expect(await firstRow(square(8, 0, () => columns((x) => x), [key]))).toEqual(
      columns((x) => (x === 50 ? 0 : x)),
    );
    const palette = [
      { type: 'PLTE', data: Uint8Array.from([90, 90, 90, 180, 180, 180]) },
      { type: 'tRNS', data: Uint8Array.from([0]) },
    ];
    expect(await firstRow(square(8, 3, () => columns((x) => x % 2), palette))).toEqual(
      columns((x) => (x % 2 === 0 ? 0 : 180)),
    );
  });

  it('puts an interlaced file together', async () => {
    const value = (x: number, y: number) => (x * 3 + y * 5) % 256;
    const passes = [
      [0, 0, 8, 8],
      [4, 0, 8, 8],
      [0, 4, 4, 8],
      [2, 0, 4, 4],
      [0, 2, 2, 4],
      [1, 0, 2, 2],
      [0, 1, 1, 2],
    ] as const;
    const rows: number[] = [];
    for (const [x0, y0, dx, dy] of passes) {
      for (let y = y0; y < 70; y += dy) {
        rows.push(0);
        for (let x = x0; x < 67; x += dx) rows.push(value(x, y));
      }
    }
    const parts = { width: 67, height: 70, depth: 8, colourType: 0, interlaced: true };
    const decoded = await decodeFilm(writePng({ ...parts, rows: Uint8Array.from(rows) }));
    const expected = Array.from({ length: 67 * 70 }, (_, i) => value(i % 67, Math.floor(i / 67)));
    expect([...decoded.grey]).toEqual(expected);
    await expectCode(
      writePng({ ...parts, depth: 4, rows: new Uint8Array(99) }),
      'unsupported-format',
    );
  });

  it('carries out the orientation of an eXIf chunk', async () => {
    const exif = { type: 'eXIf', data: tiffWithOrientation(3) };
    const png = square(8, 0, () => columns((x) => x), [exif]);
    expect(await firstRow(png)).toEqual(columns((x) => SIDE - 1 - x));
  });

  it('notices a changed byte by its checksum', async () => {
    const png = filmPng(film).slice();
    png[png.length >> 1]! ^= 1;
    expect(await expectCode(png, 'corrupt')).toContain('checksum of its IDAT chunk');
  });

  it('never passes a cut file for a film, wherever it is cut', async () => {
    const png = filmPng(film);
    for (let length = 8; length < png.length; length += 301) {
      await expectCode(png.subarray(0, length), 'truncated');
    }
  });

  it('does not take missing rows for black', async () => {
    const rows = plainRows(SIDE - 20, () => columns((x) => x));
    const png = writePng({ width: SIDE, height: SIDE, depth: 8, colourType: 0, rows });
    expect(await expectCode(png, 'corrupt')).toContain('fewer rows');
  });

  it('does not unpack more than the header promises', async () => {
    const bomb = deflateSync(Buffer.alloc(400e6));
    const png = Buffer.from(square(8, 0, () => columns((x) => x)));
    const from = png.indexOf('IDAT') - 4;
    const parts = [
      png.subarray(0, from),
      pngChunk('IDAT', bomb),
      pngChunk('IEND', new Uint8Array(0)),
    ];
    const before = process.memoryUsage();
    await decodeFilm(Buffer.concat(parts));
    const after = process.memoryUsage();
    const grown = after.external + after.heapUsed - before.external - before.heapUsed;
    expect(grown).toBeLessThan(60e6);
  });

  it('names nonsense in the header', async () => {
    const png = writePng({
      width: 80,
      height: 80,
      depth: 7,
      colourType: 0,
      rows: new Uint8Array(9),
    });
    await expectCode(png, 'corrupt');
  });
});
