import type { Film } from '../film.ts';
import type { Picture } from './picture.ts';

/**
 * Grey by ITU-R 601 luma in Pillow's fixed-point form (`L24` in libImaging/Convert.c), so that
 * films prepared with Pillow and films decoded here agree to the grey level. Alpha is laid on
 * black: what is transparent was never exposed.
 */
export function toGrey({ width, height, channels, samples }: Picture): Film {
  if (channels === 1) return { width, height, grey: samples, colourfulness: 0 };
  const grey = new Uint8Array(width * height);
  if (channels === 2) {
    for (let i = 0; i < grey.length; i++) {
      grey[i] = overBlack(samples[2 * i]!, samples[2 * i + 1]!);
    }
    return { width, height, grey, colourfulness: 0 };
  }
  let spread = 0;
  for (let i = 0, at = 0; i < grey.length; i++, at += channels) {
    let r = samples[at]!;
    let g = samples[at + 1]!;
    let b = samples[at + 2]!;
    if (channels === 4) {
      const alpha = samples[at + 3]!;
      r = overBlack(r, alpha);
      g = overBlack(g, alpha);
      b = overBlack(b, alpha);
    }
    grey[i] = (r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16;
    const high = r > g ? (r > b ? r : b) : g > b ? g : b;
    const low = r < g ? (r < b ? r : b) : g < b ? g : b;
    spread += high - low;
  }
  return { width, height, grey, colourfulness: spread / grey.length };
}

function overBlack(value: number, alpha: number): number {
  return alpha === 255 ? value : Math.round((value * alpha) / 255);
}
