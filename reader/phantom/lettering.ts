import type { Random } from '../random.ts';
import { DENSITY } from './organs.ts';
import type { View } from './view.ts';

/** Five by seven dots a letter, a bit a dot, rows from the top. */
const LETTERS: Record<string, number[]> = {
  A: [14, 17, 17, 31, 17, 17, 17],
  H: [17, 17, 17, 31, 17, 17, 17],
  M: [17, 27, 21, 21, 17, 17, 17],
  N: [17, 25, 21, 19, 17, 17, 17],
  O: [14, 17, 17, 17, 17, 17, 14],
  P: [30, 17, 17, 30, 16, 16, 16],
  R: [30, 17, 17, 30, 20, 18, 17],
  T: [31, 4, 4, 4, 4, 4, 4],
};

/** The side mark, and the word that keeps anyone from taking this for a patient's film. */
export function lettering(attenuation: Float32Array, view: View, random: Random): void {
  const unit = Math.max(1, Math.round(view.height / 230));
  write(
    attenuation,
    view,
    'R',
    0.04 + 0.03 * random.uniform(),
    0.06 + 0.05 * random.uniform(),
    2 * unit,
  );
  write(attenuation, view, 'PHANTOM', 0.03, 0.95, unit);
}

function write(
  map: Float32Array,
  { width, height }: View,
  text: string,
  left: number,
  top: number,
  unit: number,
): void {
  const x0 = Math.round(left * width);
  const y0 = Math.round(top * height);
  [...text].forEach((letter, k) => {
    LETTERS[letter]!.forEach((row, r) => {
      for (let c = 0; c < 5; c++) {
        if (!((row >> (4 - c)) & 1)) continue;
        for (let dy = 0; dy < unit; dy++) {
          for (let dx = 0; dx < unit; dx++) {
            const px = x0 + (k * 6 + c) * unit + dx;
            const py = y0 + r * unit + dy;
            if (px < width && py < height) {
              map[py * width + px] = Math.max(map[py * width + px]!, DENSITY.letter);
            }
          }
        }
      }
    });
  });
}
