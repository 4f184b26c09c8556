import type { Film } from './film.ts';
import { createRandom, type Random } from './random.ts';
import { smoothstep } from './phantom/curves.ts';
import { lettering } from './phantom/lettering.ts';
import {
  bodyAt,
  cloud,
  DENSITY,
  drawBuild,
  drawOpacities,
  heartAt,
  innerOrgans,
  lungAt,
} from './phantom/organs.ts';
import { skeleton, strokeAdd, strokeMax, vesselTree } from './phantom/strokes.ts';
import { placeOnFilm } from './phantom/view.ts';

/**
 * A drawn chest: an X-ray film that belongs to nobody, for tests, the practice film and pictures
 * of the app. It is drawn as a film is taken: along each ray, attenuation is summed over soft
 * tissue, air and bone, then goes through the film's response curve, and grain is added.
 *
 * Anatomy coordinates: y runs from 0 (top of the film) to 1 (bottom), x from the midline, in the
 * same unit, positive to the viewer's right (the patient's left).
 */
export interface PhantomOptions {
  /** Size in pixels, at least 32 each. */
  width: number;
  height: number;
  /** Varies anatomy, position, exposure, grain and the place of the opacities. */
  seed: number;
  /** 0 healthy to 1: hazy opacities in the lungs. */
  consolidation: number;
}

/** Draws the phantom. The same options give the same film on every machine. */
export function drawPhantom({ width, height, seed, consolidation }: PhantomOptions): Film {
  if (!(width >= 32 && height >= 32)) {
    throw new RangeError(`A phantom needs at least 32 x 32 pixels, not ${width} x ${height}.`);
  }
  const random = createRandom(seed);
  const chest = drawBuild(random);
  const view = placeOnFilm(width, height, random);
  const attenuation = new Float32Array(width * height);

  const vessels = new Float32Array(width * height);
  for (const stroke of vesselTree(chest, random)) strokeMax(vessels, view, stroke);
  const bones = new Float32Array(width * height);
  for (const stroke of skeleton(chest)) strokeAdd(bones, view, stroke);
  const opacities = drawOpacities(chest, random, consolidation);
  const veil = cloud(random);

  for (let py = 0, i = 0; py < height; py++) {
    for (let px = 0; px < width; px++, i++) {
      const [x, y] = view.toAnatomy(px + 0.5, py + 0.5);
      const lung = lungAt(chest, x, y);
      const body = bodyAt(chest, x, y);
      const heart = heartAt(chest, x, y);
      let sum = body + body * innerOrgans(chest, x, y, lung, heart);
      if (lung > 0) {
        let haze = 0;
        for (const opacity of opacities) haze += opacity(x, y);
        const filled = haze > 0.01 ? Math.min(1, haze * (0.55 + 0.9 * veil(x, y))) : 0;
        const seen = lung * (1 - 0.8 * heart);
        sum += seen * (vessels[i]! * (1 - 0.7 * filled) + DENSITY.opacity * filled);
        sum += seen * 0.06 * (veil(x * 2.3 + 7, y * 2.3) - 0.5);
      }
      attenuation[i] = sum + bones[i]! * Math.min(1, 0.35 + body);
    }
  }
  lettering(attenuation, view, random);
  return { width, height, grey: develop(attenuation, width, height, random), colourfulness: 0 };
}

/** Exposure, response curve, collimator edge and grain: attenuation becomes grey. */
function develop(
  attenuation: Float32Array,
  width: number,
  height: number,
  random: Random,
): Uint8Array {
  const exposure = 1.25 * (1 + 0.16 * (2 * random.uniform() - 1));
  const gamma = 1.5 * (1 + 0.12 * (2 * random.uniform() - 1));
  const fog = 4 + 5 * random.uniform();
  const grain = 2.2 + 1.6 * random.uniform();
  const edge = Array.from({ length: 4 }, () => 0.006 + 0.012 * random.uniform());
  const grey = new Uint8Array(width * height);
  let before = 0;
  for (let py = 0, i = 0; py < height; py++) {
    const fy = (py + 0.5) / height;
    for (let px = 0; px < width; px++, i++) {
      const fx = (px + 0.5) / width;
      const inside = Math.min(fx - edge[0]!, 1 - fx - edge[1]!, fy - edge[2]!, 1 - fy - edge[3]!);
      const shown = smoothstep(-0.002, 0.004, inside);
      const signal = (1 - Math.exp(-exposure * Math.max(0, attenuation[i]!))) ** gamma;
      // Neighbouring grains clump, and fewer photons behind dense parts make them grainier.
      before = 0.45 * before + random.normal();
      const noise = grain * (0.5 + 0.6 * signal) * before;
      grey[i] = Math.round(
        Math.min(255, Math.max(0, shown * (fog + (250 - fog) * signal + noise))),
      );
    }
  }
  return grey;
}
