import type { Random } from '../random.ts';
import { clamp01, segmentDistance, smoothstep, through } from './curves.ts';

/** Attenuation (arbitrary units, soft tissue of a whole trunk is 1). */
export const DENSITY = {
  air: -0.66,
  heart: 0.42,
  mediastinum: 0.34,
  abdomen: 0.34,
  gas: -0.5,
  trachea: -0.2,
  rib: 0.14,
  ribFront: 0.075,
  clavicle: 0.2,
  scapula: 0.09,
  humerus: 0.42,
  vertebra: 0.26,
  pedicle: 0.14,
  vessel: 0.2,
  opacity: 0.62,
  letter: 1.6,
} as const;

/** Proportions of one drawn child. */
export interface Build {
  /** Half the inner width of the rib cage at its widest. */
  cage: number;
  apex: number;
  /** Height of the diaphragm's domes: viewer's left (liver side), viewer's right. */
  dome: [number, number];
  heart: { x: number; y: number; rx: number; ry: number; tilt: number };
  ribSpacing: number;
  ribSlope: number;
  gas: { x: number; y: number; rx: number; ry: number };
}

export function drawBuild(random: Random): Build {
  const vary = (mean: number, spread: number) => mean + spread * (2 * random.uniform() - 1);
  const dome = vary(0.715, 0.03);
  return {
    cage: vary(0.375, 0.02),
    apex: vary(0.125, 0.015),
    dome: [dome - 0.012, dome + 0.014],
    heart: {
      x: vary(0.055, 0.012),
      y: vary(0.575, 0.02),
      rx: vary(0.175, 0.018),
      ry: vary(0.145, 0.012),
      tilt: vary(0.5, 0.12),
    },
    ribSpacing: vary(0.066, 0.004),
    ribSlope: vary(0.05, 0.025),
    gas: {
      x: vary(0.2, 0.03),
      y: dome + vary(0.095, 0.015),
      rx: vary(0.075, 0.02),
      ry: vary(0.04, 0.01),
    },
  };
}

/** Half the trunk's width: neck, shoulder, armpit, waist. */
const TRUNK: [number, number][] = [
  [-0.1, 0.1],
  [0.0, 0.115],
  [0.19, 0.5],
  [0.34, 0.445],
  [0.62, 0.425],
  [1.1, 0.45],
];

/** Attenuation of trunk and arms as filled with soft tissue: thinner towards the skin. */
export function bodyAt(chest: Build, x: number, y: number): number {
  const side = Math.abs(x) - (chest.cage - 0.375);
  const depth = through(TRUNK, y) - side;
  const trunk = depth > 0 ? Math.sqrt(clamp01(depth / 0.2)) : 0;
  const arm = capsuleDepth(side, y, 0.5, 0.17, 0.66, 0.75, 0.085);
  const both = Math.max(trunk, 0.62 * arm);
  return both * (0.92 + 0.16 * smoothstep(0.1, 0.9, y));
}

/** 0 outside a capsule to 1 on its axis, round as a limb is. */
function capsuleDepth(
  x: number,
  y: number,
  x0: number,
  y0: number,
  x1: number,
  y1: number,
  radius: number,
): number {
  const d = segmentDistance(x, y, x0, y0, x1, y1) / radius;
  return d < 1 ? Math.sqrt(1 - d * d) : 0;
}

/** Inner half-width of the rib cage at height y; 0 above the apex. */
export function cageAt(chest: Build, y: number): number {
  const q = (0.76 - y) / (0.76 - chest.apex);
  if (q >= 1) return 0;
  return chest.cage * (1 - Math.abs(q) ** 2.3) ** 0.5;
}

function diaphragmAt(chest: Build, x: number): number {
  const dome = chest.dome[x < 0 ? 0 : 1];
  const off = Math.abs(x) - 0.17;
  return dome + 3.1 * off * off;
}

/** How much of the ray at (x, y) runs through lung: 0 to 1. */
export function lungAt(chest: Build, x: number, y: number): number {
  const side = Math.abs(x);
  const inside = Math.min(
    cageAt(chest, y) - side,
    side - 0.058 + 0.03 * smoothstep(0.3, 0.12, y),
    (diaphragmAt(chest, x) - y) * 0.8,
  );
  if (inside < -0.012) return 0;
  return smoothstep(-0.012, 0.012, inside) * (0.7 + 0.3 * smoothstep(0, 0.11, inside));
}

/**
 * The heart's shade at (x, y): 0 to 1, round, its upper end melting into the great vessels, its
 * border a little soft because it beats during the exposure.
 */
export function heartAt({ heart }: Build, x: number, y: number): number {
  const hx = x - heart.x;
  const hy = y - heart.y;
  const along = (hx * Math.cos(heart.tilt) + hy * Math.sin(heart.tilt)) / heart.rx;
  const across = (hy * Math.cos(heart.tilt) - hx * Math.sin(heart.tilt)) / heart.ry;
  const r = Math.sqrt(along * along + across * across);
  const base = Math.sqrt(((x - 0.012) / 0.105) ** 2 + ((y - heart.y + 0.16) / 0.15) ** 2);
  // Smooth minimum of both ellipses, so that no notch shows where they meet.
  const k = 0.22;
  const h = clamp01(0.5 + (base - r) / (2 * k));
  const reach = base + (r - base) * h - k * h * (1 - h);
  return smoothstep(1.07, 0.8, reach) * (0.72 + 0.28 * smoothstep(1, 0, reach));
}

/** Air, heart, great vessels and abdomen, relative to the soft tissue of the trunk. */
export function innerOrgans(
  chest: Build,
  x: number,
  y: number,
  lung: number,
  heartShade: number,
): number {
  const { gas } = chest;
  const upper = 0.07 + 0.014 * smoothstep(0.2, 0.3, y) + 0.012 * (x > 0 ? 1 : 0.4);
  const mediastinum =
    smoothstep(upper + 0.016, upper - 0.024, Math.abs(x)) * smoothstep(0.06, 0.2, y);

  const below = smoothstep(-0.008, 0.012, y - diaphragmAt(chest, x));
  const gasAt = ((x - gas.x) / gas.rx) ** 2 + ((y - gas.y) / gas.ry) ** 2;

  let sum = lung * DENSITY.air * (1 - 0.8 * heartShade) * (1 - 0.6 * mediastinum);
  sum += DENSITY.heart * heartShade * (1 - 0.5 * below);
  sum += DENSITY.mediastinum * mediastinum * (1 - 0.8 * heartShade) * (1 - below);
  sum += below * DENSITY.abdomen * (0.82 + 0.33 * smoothstep(0.1, -0.06, x));
  sum += below * DENSITY.gas * smoothstep(1.3, 0.6, gasAt);

  if (Math.abs(x) > 0.12 || y > 0.45) return sum;
  // Windpipe down to the fork, then both main bronchi.
  const windpipe = Math.min(
    segmentDistance(x, y, 0.004, -0.05, 0, 0.33),
    segmentDistance(x, y, 0, 0.33, -0.06, 0.4) + 0.004,
    segmentDistance(x, y, 0, 0.33, 0.075, 0.395) + 0.005,
  );
  sum += DENSITY.trachea * smoothstep(0.02, 0.012, windpipe);
  return sum;
}

/** Hazy patches in the lungs, more and denser ones with more consolidation. */
export function drawOpacities(chest: Build, random: Random, consolidation: number) {
  const count = 2 + random.integer(3);
  const firstSide = random.integer(2) * 2 - 1;
  return Array.from({ length: count }, (_, k) => {
    const side = k % 2 === 0 ? firstSide : -firstSide;
    const y0 = 0.3 + 0.34 * random.uniform();
    const x0 = side * (0.12 + (cageAt(chest, y0) - 0.19) * random.uniform());
    const rx = 0.07 + 0.06 * random.uniform();
    const ry = 0.07 + 0.07 * random.uniform();
    const strength = clamp01(consolidation) * (k < 2 ? 1.15 : 0.8) * (0.9 + 0.3 * random.uniform());
    return (x: number, y: number): number => {
      const d = ((x - x0) / rx) ** 2 + ((y - y0) / ry) ** 2;
      return d > 9 ? 0 : strength * Math.exp(-0.7 * d);
    };
  });
}

/** Soft noise of several octaves, 0 to 1: gives haze its uneven edge. */
export function cloud(random: Random): (x: number, y: number) => number {
  const SIDE = 32;
  const grid = Float32Array.from({ length: SIDE * SIDE }, () => random.uniform());
  const node = (x: number, y: number) => grid[(y & (SIDE - 1)) * SIDE + (x & (SIDE - 1))]!;
  const octave = (x: number, y: number) => {
    const ix = Math.floor(x);
    const iy = Math.floor(y);
    const fx = smoothstep(0, 1, x - ix);
    const fy = smoothstep(0, 1, y - iy);
    const upper = node(ix, iy) + (node(ix + 1, iy) - node(ix, iy)) * fx;
    const lower = node(ix, iy + 1) + (node(ix + 1, iy + 1) - node(ix, iy + 1)) * fx;
    return upper + (lower - upper) * fy;
  };
  return (x, y) =>
    0.5 * octave(x * 14, y * 14) + 0.3 * octave(x * 29, y * 29) + 0.2 * octave(x * 61, y * 61);
}
