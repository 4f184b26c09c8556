import type { Random } from '../random.ts';
import { alongSegment, smoothstep } from './curves.ts';
import { cageAt, DENSITY, type Build } from './organs.ts';
import type { View } from './view.ts';

/** A line with a width: the form of every bone and vessel here. */
export interface Stroke {
  points: { x: number; y: number; radius: number }[];
  density: number;
  /** `tube`: bright rims, as cortical bone; `cord`: brightest on the axis, as blood. */
  profile: 'tube' | 'cord';
}

/** Ribs, collar bones, shoulder blades, upper arms and spine. */
export function skeleton(chest: Build): Stroke[] {
  const strokes: Stroke[] = [];
  const curve = (steps: number, at: (t: number) => [number, number, number]) =>
    Array.from({ length: steps + 1 }, (_, k) => {
      const [x, y, radius] = at(k / steps);
      return { x, y, radius };
    });
  for (const side of [-1, 1]) {
    for (let k = 0; k < 10; k++) {
      const y0 = 0.135 + k * chest.ribSpacing;
      const reach = Math.max(0.13, cageAt(chest, Math.min(0.74, y0 + 0.045)) + 0.012);
      const fall = chest.ribSlope + 0.012 * k;
      const radius = 0.0125 + 0.0004 * k;
      // Behind: from the spine outwards, rising a little, then round the side.
      const behind = curve(40, (t) => {
        const a = t * Math.PI * 0.5;
        const x = 0.045 + (reach - 0.045) * Math.sin(a);
        return [side * x, y0 - 0.022 * Math.sin(a * 2) + fall * (1 - Math.cos(a)), radius];
      });
      strokes.push({ points: behind, density: DENSITY.rib, profile: 'tube' });
      if (k > 6) continue;
      // In front: from the side steeply down and inwards, ending where the cartilage begins.
      const front = curve(30, (t) => {
        const x = reach - (reach - 0.11 - 0.018 * k) * t * t;
        return [
          side * x,
          y0 + fall + (0.085 + 0.016 * k) * Math.sin((t * Math.PI) / 2),
          radius * 1.1,
        ];
      });
      strokes.push({ points: front, density: DENSITY.ribFront, profile: 'tube' });
    }
    const collar = curve(40, (t) => [
      side * (0.035 + 0.37 * t),
      0.165 - 0.075 * t + 0.022 * Math.sin(t * Math.PI * 2),
      0.0135 - 0.003 * Math.sin(t * Math.PI),
    ]);
    strokes.push({ points: collar, density: DENSITY.clavicle, profile: 'tube' });
    const blade = curve(30, (t) => [side * (0.44 - 0.085 * t), 0.13 + 0.27 * t, 0.03 - 0.02 * t]);
    strokes.push({ points: blade, density: DENSITY.scapula, profile: 'tube' });
    const arm = curve(30, (t) => [
      side * (0.475 + 0.17 * t),
      0.135 + 0.6 * t,
      0.026 - 0.011 * smoothstep(0, 0.2, t),
    ]);
    strokes.push({ points: arm, density: DENSITY.humerus, profile: 'tube' });
  }
  for (let k = 0; k < 17; k++) {
    const y = 0.015 + k * 0.06;
    const half = 0.03 + 0.0007 * k;
    const body = [-0.6, -0.2, 0.2, 0.6].map((f) => ({ x: f * half, y, radius: 0.0245 }));
    strokes.push({ points: body, density: DENSITY.vertebra, profile: 'tube' });
    for (const side of [-1, 1]) {
      const pedicle = [
        { x: side * half * 0.72, y: y - 0.006, radius: 0.0085 },
        { x: side * half * 0.72, y: y + 0.003, radius: 0.0085 },
      ];
      strokes.push({ points: pedicle, density: DENSITY.pedicle, profile: 'tube' });
    }
  }
  return strokes;
}

/** Vessels branching from both lung roots outwards. */
export function vesselTree(chest: Build, random: Random): Stroke[] {
  const strokes: Stroke[] = [];
  const grow = (
    x: number,
    y: number,
    angle: number,
    radius: number,
    length: number,
    depth: number,
  ) => {
    const points = [{ x, y, radius }];
    let heading = angle;
    for (let k = 0; k < 5; k++) {
      heading += 0.16 * random.normal();
      x += (Math.cos(heading) * length) / 5;
      y += (Math.sin(heading) * length) / 5;
      points.push({ x, y, radius: radius * (1 - 0.06 * (k + 1)) });
    }
    strokes.push({ points, density: DENSITY.vessel * (1 - 0.12 * depth), profile: 'cord' });
    if (depth === 4) return;
    const children = depth < 2 ? 3 : 2;
    for (let k = 0; k < children; k++) {
      const turn = ((k + 0.5) / children - 0.5) * 1.5 + 0.2 * random.normal();
      grow(
        x,
        y,
        heading + turn,
        radius * 0.66,
        length * (0.72 + 0.12 * random.uniform()),
        depth + 1,
      );
    }
  };
  for (const side of [-1, 1]) {
    for (const angle of [-1.15, -0.25, 0.5, 1.15]) {
      const outwards = side > 0 ? angle : Math.PI - angle;
      const y = 0.405 + (side > 0 ? -0.012 : 0.008);
      grow(side * 0.07, y, outwards, 0.0135, 0.088 * (chest.cage / 0.375), 0);
    }
  }
  return strokes;
}

/** Distance to the stroke's axis over its radius, for each pixel near it. */
function rasterize(
  view: View,
  stroke: Stroke,
  paint: (pixel: number, offset: number) => void,
): void {
  const { width, height, scale } = view;
  const points = stroke.points.map(({ x, y, radius }) => {
    const [px, py] = view.toPixel(x, y);
    // Thinner than a pixel it would come and go with its place on the raster.
    return { px, py, radius: Math.max(0.8, radius * scale) };
  });
  const xs = points.map((p) => p.px);
  const ys = points.map((p) => p.py);
  const reach = 1.5 + Math.max(...points.map((p) => p.radius));
  const left = Math.max(0, Math.floor(Math.min(...xs) - reach));
  const right = Math.min(width - 1, Math.ceil(Math.max(...xs) + reach));
  const top = Math.max(0, Math.floor(Math.min(...ys) - reach));
  const bottom = Math.min(height - 1, Math.ceil(Math.max(...ys) + reach));
  if (right < left || bottom < top) return;
  const columns = right - left + 1;
  const nearest = new Float32Array(columns * (bottom - top + 1)).fill(Infinity);
  for (let k = 1; k < points.length; k++) {
    const a = points[k - 1]!;
    const b = points[k]!;
    const y0 = Math.max(top, Math.floor(Math.min(a.py, b.py) - reach));
    const y1 = Math.min(bottom, Math.ceil(Math.max(a.py, b.py) + reach));
    const x0 = Math.max(left, Math.floor(Math.min(a.px, b.px) - reach));
    const x1 = Math.min(right, Math.ceil(Math.max(a.px, b.px) + reach));
    for (let py = y0; py <= y1; py++) {
      for (let px = x0; px <= x1; px++) {
        const t = alongSegment(px + 0.5, py + 0.5, a.px, a.py, b.px, b.py);
        const dx = px + 0.5 - a.px - t * (b.px - a.px);
        const dy = py + 0.5 - a.py - t * (b.py - a.py);
        const d = Math.sqrt(dx * dx + dy * dy) / (a.radius + t * (b.radius - a.radius));
        const at = (py - top) * columns + px - left;
        if (d < nearest[at]!) nearest[at] = d;
      }
    }
  }
  for (let at = 0; at < nearest.length; at++) {
    if (nearest[at]! >= 1.35) continue;
    paint((top + Math.floor(at / columns)) * width + left + (at % columns), nearest[at]!);
  }
}

function profileAt({ profile, density }: Stroke, offset: number): number {
  if (profile === 'cord') return density * Math.exp(-2 * offset * offset);
  const edge = smoothstep(1.3, 0.8, offset);
  return density * edge * (0.62 + 0.55 * smoothstep(0.2, 0.85, offset));
}

export function strokeAdd(map: Float32Array, view: View, stroke: Stroke): void {
  rasterize(view, stroke, (pixel, offset) => {
    map[pixel]! += profileAt(stroke, offset);
  });
}

export function strokeMax(map: Float32Array, view: View, stroke: Stroke): void {
  rasterize(view, stroke, (pixel, offset) => {
    map[pixel] = Math.max(map[pixel]!, profileAt(stroke, offset));
  });
}
