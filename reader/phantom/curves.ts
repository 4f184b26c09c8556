/** Small curves that the drawn anatomy is made of. */

export const clamp01 = (t: number) => (t < 0 ? 0 : t > 1 ? 1 : t);

export function smoothstep(from: number, to: number, t: number): number {
  const s = clamp01((t - from) / (to - from));
  return s * s * (3 - 2 * s);
}

/** Piecewise smooth curve through (t, value) knots in ascending t. */
export function through(knots: [number, number][], t: number): number {
  let k = 0;
  while (k < knots.length - 2 && t > knots[k + 1]![0]) k++;
  const [t0, v0] = knots[k]!;
  const [t1, v1] = knots[k + 1]!;
  return v0 + (v1 - v0) * smoothstep(t0, t1, t);
}

/** Where on a segment the point nearest to (x, y) lies: 0 at its start, 1 at its end. */
export function alongSegment(x: number, y: number, x0: number, y0: number, x1: number, y1: number) {
  const ux = x1 - x0;
  const uy = y1 - y0;
  return clamp01(((x - x0) * ux + (y - y0) * uy) / (ux * ux + uy * uy || 1));
}

export function segmentDistance(
  x: number,
  y: number,
  x0: number,
  y0: number,
  x1: number,
  y1: number,
) {
  const t = alongSegment(x, y, x0, y0, x1, y1);
  const dx = x - x0 - t * (x1 - x0);
  const dy = y - y0 - t * (y1 - y0);
  return Math.sqrt(dx * dx + dy * dy);
}
