import type { Film } from '../film.ts';

/** EXIF tag 0x0112 (CIPA DC-008, 4.6.4 A): 1 is upright, 2 to 8 are mirrored or turned. */
export type Orientation = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;

const ORIENTATION_TAG = 0x0112;
const SHORT = 3;

/**
 * Reads the orientation out of an EXIF block. A damaged block counts as upright: the picture
 * itself may be sound.
 * @param tiff the block from its TIFF header (`II` or `MM`) on.
 */
export function readOrientation(tiff: Uint8Array): Orientation {
  if (tiff.length < 14) return 1;
  const view = new DataView(tiff.buffer, tiff.byteOffset, tiff.byteLength);
  const order = view.getUint16(0);
  if (order !== 0x4949 && order !== 0x4d4d) return 1;
  const little = order === 0x4949;
  if (view.getUint16(2, little) !== 42) return 1;
  const directory = view.getUint32(4, little);
  if (directory + 2 > tiff.length) return 1;
  const entries = view.getUint16(directory, little);
  for (let i = 0; i < entries; i++) {
    const entry = directory + 2 + 12 * i;
    if (entry + 12 > tiff.length) return 1;
    if (view.getUint16(entry, little) !== ORIENTATION_TAG) continue;
    const value = view.getUint16(entry + 8, little);
    const valid = view.getUint16(entry + 2, little) === SHORT && value >= 1 && value <= 8;
    return valid ? (value as Orientation) : 1;
  }
  return 1;
}

/** Turns a film upright. Orientation 1 returns the film itself, without a copy. */
export function orient(film: Film, orientation: Orientation): Film {
  if (orientation === 1) return film;
  const { width, height, grey } = film;
  const transposed = orientation >= 5;
  const turned = new Uint8Array(grey.length);
  const turnedWidth = transposed ? height : width;
  const turnedHeight = transposed ? width : height;
  const { start, right, down } = steps(orientation, width, height);
  let to = 0;
  for (let y = 0; y < turnedHeight; y++) {
    let from = start + y * down;
    for (let x = 0; x < turnedWidth; x++, from += right) turned[to++] = grey[from]!;
  }
  return { ...film, width: turnedWidth, height: turnedHeight, grey: turned };
}

/**
 * Where the upright picture's first pixel lies in the stored one, and how far apart its right and
 * lower neighbours lie there. The names give the stored position of the upright top left corner.
 */
function steps(orientation: Orientation, width: number, height: number) {
  const topLeft = 0;
  const topRight = width - 1;
  const bottomLeft = (height - 1) * width;
  const bottomRight = height * width - 1;
  switch (orientation) {
    case 1:
      return { start: topLeft, right: 1, down: width };
    case 2:
      return { start: topRight, right: -1, down: width };
    case 3:
      return { start: bottomRight, right: -1, down: -width };
    case 4:
      return { start: bottomLeft, right: 1, down: -width };
    case 5:
      return { start: topLeft, right: width, down: 1 };
    case 6:
      return { start: bottomLeft, right: -width, down: 1 };
    case 7:
      return { start: bottomRight, right: -width, down: -1 };
    case 8:
      return { start: topRight, right: width, down: -1 };
  }
}
