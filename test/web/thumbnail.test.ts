import { expect, it } from 'vitest';
import { thumbnailOf } from '../../web/film/pixels.ts';

const film = (width: number, height: number, at: (x: number, y: number) => number) => ({
  width,
  height,
  colourfulness: 0,
  grey: Uint8Array.from({ length: width * height }, (_, i) => at(i % width, Math.floor(i / width))),
});

it('has 96 pixels on its longer side, and the shape of the film', () => {
  expect(thumbnailOf(film(960, 480, () => 7))).toMatchObject({ width: 96, height: 48 });
  expect(thumbnailOf(film(500, 1000, () => 7))).toMatchObject({ width: 48, height: 96 });
  expect(thumbnailOf(film(3, 20_000, () => 7))).toMatchObject({ width: 1, height: 96 });
});

it('shows the mean of every source pixel under each of its own', () => {
  // Columns of 0 and 200: whichever pixel one picked alone, it would be far off.
  const { grey } = thumbnailOf(film(192, 192, (x) => (x % 2) * 200));
  expect(new Set(grey)).toEqual(new Set([100]));
});

it('keeps left, right, top and bottom where they are', () => {
  const { grey, width, height } = thumbnailOf(
    film(700, 500, (x, y) => (x < 350 ? 0 : 100) + (y < 250 ? 0 : 50)),
  );
  const corner = (x: number, y: number) => grey[y * width + x];
  expect([
    corner(0, 0),
    corner(width - 1, 0),
    corner(0, height - 1),
    corner(width - 1, height - 1),
  ]).toEqual([0, 100, 50, 150]);
});

it('leaves a film that is small already as it is', () => {
  const small = film(70, 64, (x, y) => (x * 3 + y) % 256);
  expect(thumbnailOf(small)).toEqual({ width: 70, height: 64, grey: small.grey });
});
