import type { Random } from '../random.ts';

/** Width of a film over its height that the anatomy is drawn for; other shapes are stretched. */
const ASPECT = 1.15;

/** How anatomy and pixels correspond: each child lies a little differently. */
export interface View {
  width: number;
  height: number;
  toAnatomy(px: number, py: number): [number, number];
  toPixel(x: number, y: number): [number, number];
  /** Pixels per anatomy unit, for stroke widths. */
  scale: number;
}

export function placeOnFilm(width: number, height: number, random: Random): View {
  const angle = 0.03 * (2 * random.uniform() - 1);
  const zoom = 1 + 0.05 * (2 * random.uniform() - 1);
  const dx = 0.02 * (2 * random.uniform() - 1);
  const dy = 0.015 * (2 * random.uniform() - 1);
  const sx = width / ASPECT;
  const cos = Math.cos(angle) * zoom;
  const sin = Math.sin(angle) * zoom;
  const norm = cos * cos + sin * sin;
  return {
    width,
    height,
    scale: Math.sqrt(sx * height) * zoom,
    toPixel(x, y) {
      const v = y - 0.5;
      return [(cos * x - sin * v + dx) * sx + width / 2, (sin * x + cos * v + dy + 0.5) * height];
    },
    toAnatomy(px, py) {
      const u = (px - width / 2) / sx - dx;
      const v = py / height - 0.5 - dy;
      return [(cos * u + sin * v) / norm, (cos * v - sin * u) / norm + 0.5];
    },
  };
}
