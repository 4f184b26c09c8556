import type { Film } from '../../reader/film.ts';
import type { Thumbnail } from '../records/exam.ts';

/** Grey pixels as a canvas shows them: the very pixels the model was given. */
export function toImageData(
  { grey, width, height }: Pick<Film, 'grey' | 'width' | 'height'>,
  invert = false,
): ImageData {
  const image = new ImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  const flip = invert ? 255 : 0;
  for (let i = 0; i < grey.length; i++) {
    pixels[i] = 0xff000000 | ((grey[i]! ^ flip) * 0x010101);
  }
  return image;
}

const THUMBNAIL_SIDE = 96;

/** The film in small, by averages over whole source pixels. */
export function thumbnailOf({ grey, width, height }: Film): Thumbnail {
  const scale = Math.min(1, THUMBNAIL_SIDE / Math.max(width, height));
  const small = {
    width: Math.max(1, Math.round(width * scale)),
    height: Math.max(1, Math.round(height * scale)),
  };
  const result = new Uint8Array(small.width * small.height);
  for (let y = 0; y < small.height; y++) {
    const top = Math.floor((y * height) / small.height);
    const bottom = Math.max(top + 1, Math.floor(((y + 1) * height) / small.height));
    for (let x = 0; x < small.width; x++) {
      const left = Math.floor((x * width) / small.width);
      const right = Math.max(left + 1, Math.floor(((x + 1) * width) / small.width));
      let sum = 0;
      for (let row = top; row < bottom; row++) {
        for (let column = left; column < right; column++) sum += grey[row * width + column]!;
      }
      result[y * small.width + x] = sum / ((bottom - top) * (right - left));
    }
  }
  return { ...small, grey: result };
}
