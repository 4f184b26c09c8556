import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { encode } from 'fast-png';
import { describe, expect, it } from 'vitest';
import { decodeFilm } from '../../reader/decode/index.ts';
import { FilmError, type FilmErrorCode } from '../../reader/film.ts';
import { createRandom } from '../../reader/random.ts';
import { refusals } from '../../reader/reading.ts';
import { encodeJpeg, filmJpeg, filmPng } from '../phantom-files.ts';
import {
  CMYK_JPEG,
  colourPhoto,
  corners,
  film,
  jpegHeader,
  jpegWithOrientation,
  writePng,
} from './film-files.ts';

const latin = (text: string) => Buffer.from(text.padEnd(200, '\0'), 'latin1');

async function errorOf(bytes: Uint8Array): Promise<FilmError> {
  const outcome = await decodeFilm(bytes).catch((error: unknown) => error);
  expect(outcome).toBeInstanceOf(FilmError);
  return outcome as FilmError;
}

async function expectCode(bytes: Uint8Array, code: FilmErrorCode): Promise<string> {
  const error = await errorOf(bytes);
  expect(error.code).toBe(code);
  return error.message;
}

/** Mean absolute difference in grey levels. */
function difference(a: Uint8Array, b: Uint8Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((sum, value, i) => sum + Math.abs(value - b[i]!), 0) / a.length;
}

describe('JPEG', () => {
  it('keeps grey as grey', async () => {
    const decoded = await decodeFilm(await filmJpeg(film, { quality: 100 }));
    expect([decoded.width, decoded.height, decoded.colourfulness]).toEqual([150, 130, 0]);
    expect(decoded.grey).toBeInstanceOf(Uint8Array);
    expect(difference(decoded.grey, film.grey)).toBeLessThan(0.6);
  });

  it('reads a progressive file to the same pixels', async () => {
    const baseline = await decodeFilm(await filmJpeg(film));
    const progressive = await decodeFilm(await filmJpeg(film, { progressive: true }));
    expect(progressive.grey).toEqual(baseline.grey);
  });

  it('takes RGB as ITU-R 601 luma and measures its colour', async () => {
    const data = new Uint8Array(64 * 64 * 3);
    for (let i = 0; i < data.length; i += 3) data.set([200, 100, 50], i);
    const picture = await encodeJpeg(
      { width: 64, height: 64, channels: 3, data },
      { quality: 100 },
    );
    const decoded = await decodeFilm(picture);
    // 0.299 * 200 + 0.587 * 100 + 0.114 * 50 = 124.2
    expect(Math.abs(decoded.grey[2000]! - 124)).toBeLessThanOrEqual(1);
    expect(decoded.colourfulness).toBeCloseTo(150, -1);
  });

  it('calls a colour photo one, and a film stored as RGB not', async () => {
    const photo = await decodeFilm(await encodeJpeg(colourPhoto(120, 100)));
    expect(refusals(photo).map(({ code }) => code)).toEqual(['colour']);
    const data = Uint8Array.from(
      { length: film.grey.length * 3 },
      (_, i) => film.grey[(i / 3) | 0]!,
    );
    const stored = await decodeFilm(await encodeJpeg({ ...film, channels: 3, data }));
    expect(stored.colourfulness).toBe(0);
    expect(refusals(stored)).toEqual([]);
  });

  it('reads Adobe CMYK as Pillow does', async () => {
    const { grey, width, colourfulness } = await decodeFilm(CMYK_JPEG);
    const points = [
      [2, 2, 5],
      [2, 60, 116],
      [32, 32, 93],
      [60, 2, 60],
      [60, 60, 172],
    ] as const;
    for (const [row, column, expected] of points) {
      expect(Math.abs(grey[row * width + column]! - expected)).toBeLessThanOrEqual(1);
    }
    expect(colourfulness).toBeGreaterThan(5);
  });

  it.each([
    // Orientation, and where the upright picture has the white and the grey corner.
    [1, 'top left', 'top right'],
    [2, 'top right', 'top left'],
    [3, 'bottom right', 'bottom left'],
    [4, 'bottom left', 'bottom right'],
    [5, 'top left', 'bottom left'],
    [6, 'top right', 'bottom right'],
    [7, 'bottom right', 'top right'],
    [8, 'bottom left', 'top left'],
  ])('turns EXIF orientation %i upright', async (orientation, white, grey) => {
    const samples = corners(120, 80);
    const turned = await decodeFilm(await jpegWithOrientation(orientation, samples));
    expect([turned.width, turned.height]).toEqual(orientation >= 5 ? [80, 120] : [120, 80]);
    const at = (x: number, y: number) => turned.grey[y * turned.width + x]!;
    const [right, bottom] = [turned.width - 12, turned.height - 12];
    const seen = {
      'top left': at(12, 12),
      'top right': at(right, 12),
      'bottom left': at(12, bottom),
      'bottom right': at(right, bottom),
    };
    const named = Object.entries(seen);
    expect(named.filter(([, value]) => value > 220).map(([name]) => name)).toEqual([white]);
    expect(named.filter(([, value]) => value > 100 && value < 160).map(([name]) => name)).toEqual([
      grey,
    ]);
  });

  it('never passes a cut file for a film, wherever it is cut', async () => {
    for (const progressive of [false, true]) {
      const jpeg = await filmJpeg(film, { progressive });
      for (let length = 3; length < jpeg.length - 2; length += 97) {
        await expectCode(jpeg.subarray(0, length), 'truncated');
      }
    }
    await expectCode(CMYK_JPEG.subarray(0, 300), 'truncated');
  });

  it('reads a file that lacks nothing but its end marker', async () => {
    const jpeg = await filmJpeg(film);
    const whole = await decodeFilm(jpeg);
    expect((await decodeFilm(jpeg.subarray(0, -2))).grey).toEqual(whole.grey);
    // Progressive files decode from any part of their scans: nobody can tell that nothing is missing.
    await expectCode((await filmJpeg(film, { progressive: true })).subarray(0, -2), 'truncated');
  });

  it('takes a file whose rest is zeros, as from a broken copy, for cut', async () => {
    const jpeg = (await filmJpeg(film)).slice();
    jpeg.fill(0, jpeg.length >> 1);
    await expectCode(jpeg, 'truncated');
  });

  it('names damage', async () => {
    const jpeg = (await filmJpeg(film)).slice();
    jpeg.fill(0x55, 20, 60);
    await expectCode(jpeg, 'corrupt');
    await expectCode(Buffer.from([0xff, 0xd8, 0xff, 0xd9]), 'corrupt');
  });

  it('still reads well after damaged files', async () => {
    const jpeg = await filmJpeg(film);
    const before = await decodeFilm(jpeg);
    for (let k = 0; k < 20; k++) await errorOf(jpeg.subarray(0, jpeg.length >> 1));
    expect((await decodeFilm(jpeg)).grey).toEqual(before.grey);
  });

  it('answers any damage with a film or a reason, never with another error', async () => {
    const random = createRandom(1);
    const files = [
      await filmJpeg(film),
      await filmJpeg(film, { progressive: true }),
      CMYK_JPEG,
      filmPng(film),
    ];
    for (const file of files) {
      for (let k = 0; k < 60; k++) {
        const damaged = Uint8Array.from(file);
        // Headers are small: half of the damage goes there.
        const reach = k % 2 === 0 ? 300 : damaged.length;
        for (let n = 0; n < 3; n++) damaged[random.integer(reach)] = random.integer(256);
        const outcome = await decodeFilm(damaged).catch((error: unknown) => error);
        if (outcome instanceof Error) expect(outcome).toBeInstanceOf(FilmError);
        else expect(outcome).toHaveProperty('grey');
      }
    }
  });

  it('refuses kinds it can not read by their name', async () => {
    expect(
      await expectCode(jpegHeader(100, 100, { precision: 12 }), 'unsupported-format'),
    ).toContain('12-bit JPEG');
    expect(
      await expectCode(jpegHeader(100, 100, { marker: 0xc3 }), 'unsupported-format'),
    ).toContain('lossless JPEG');
    expect(
      await expectCode(jpegHeader(100, 100, { marker: 0xf7 }), 'unsupported-format'),
    ).toContain('JPEG-LS');
  });
});

describe('size', () => {
  it('refuses a 30,000 x 30,000 header before spending memory on it', async () => {
    const png = writePng({
      width: 30_000,
      height: 30_000,
      depth: 8,
      colourType: 0,
      rows: new Uint8Array(9),
    });
    for (const bytes of [jpegHeader(30_000, 30_000), png]) {
      const before = process.memoryUsage().rss;
      const message = await expectCode(bytes, 'too-large');
      expect(message).toContain('30000 x 30000 pixels');
      expect(process.memoryUsage().rss - before).toBeLessThan(50e6);
    }
  });

  it('refuses what is too small to judge', async () => {
    await expectCode(
      await encodeJpeg({ width: 63, height: 90, channels: 1, data: new Uint8Array(63 * 90) }),
      'too-small',
    );
    await expectCode(
      encode({ width: 64, height: 10, channels: 1, depth: 8, data: new Uint8Array(640) }),
      'too-small',
    );
  });

  it('refuses a side of 0 as damage', async () => {
    await expectCode(jpegHeader(0, 100), 'corrupt');
  });
});

describe('other files', () => {
  it('names an empty file', async () => {
    await expectCode(new Uint8Array(0), 'empty-file');
  });

  it.each([
    ['text', Buffer.from('patient,age\n17,3\n')],
    ['BM text', Buffer.from('BMI and age of the children in the ward, 2026\n')],
    ['an archive', latin('PK\x03\x04')],
    ['zeros', Buffer.alloc(500)],
  ])('takes %s for no picture', async (_name, bytes) => {
    await expectCode(bytes, 'not-an-image');
  });

  it.each([
    ['DICOM', Buffer.concat([Buffer.alloc(128), Buffer.from('DICM\x02\0\0\0UL')])],
    ['DICOM', Buffer.from('\x08\0\x05\0CS\x0a\0ISO_IR 100', 'latin1')],
    ['GIF', latin('GIF89a')],
    ['WebP', latin('RIFF\x10\0\0\0WEBPVP8 ')],
    ['HEIC', latin('\0\0\0\x18ftypheic')],
    ['AVIF', latin('\0\0\0\x18ftypavif')],
    ['TIFF', latin('II*\0\x08\0\0\0')],
    ['TIFF', latin('MM\0*\0\0\0\x08')],
    ['BMP', latin('BM\x36\x10\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0')],
    ['PDF', latin('%PDF-1.7')],
    ['JPEG 2000', latin('\0\0\0\x0cjP  \r\n\x87\n')],
  ])('names %s', async (name, bytes) => {
    expect(await expectCode(bytes, 'unsupported-format')).toContain(`(${name})`);
  });

  it('recognises a PNG that went through a text-mode transfer', async () => {
    const png = Buffer.from(filmPng(film));
    const mangled = Buffer.from(png.toString('latin1').replaceAll('\r\n', '\n'), 'latin1');
    await expectCode(mangled, 'corrupt');
  });
});

const DATA = '../shared/data/guangzhou-fullsize';

describe.skipIf(!existsSync(DATA))(`real films (skipped where ${DATA} is absent)`, () => {
  it.each([
    // SHA-256 of the grey pixels as Pillow 13.0 (libjpeg-turbo) decodes and converts them.
    [
      'NORMAL/IM-0643-0001.jpeg',
      2348,
      1851,
      '7049ad02cf4d29b68178d3e132bd3f1604130bb804a80d4443d6a5139a9ecb24',
    ],
    [
      'PNEUMONIA/person26_bacteria_131.jpeg',
      1024,
      568,
      '934effcd4584484b265dda0646965f59f5de7607608c0b31f55c5802843bcfa5',
    ],
    // This one is stored as RGB.
    [
      'PNEUMONIA/person621_virus_1194.jpeg',
      791,
      615,
      'c85a7b3c633ce75db03dc4797e2262a63ed76994ba6d4f50be138f946620de61',
    ],
  ])('decodes %s to the very pixels that Pillow gives', async (name, width, height, hash) => {
    const decoded = await decodeFilm(readFileSync(`${DATA}/${name}`));
    expect([decoded.width, decoded.height]).toEqual([width, height]);
    expect(createHash('sha256').update(decoded.grey).digest('hex')).toBe(hash);
  });
});
