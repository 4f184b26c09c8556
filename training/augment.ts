import { createRandom, type Random } from '../reader/random.ts';

/**
 * How hard a film is changed before the network sees it. Every number is the half-range of a
 * uniform draw unless it is a probability. The two presets below are what training and the
 * stressed validation use.
 */
export interface AugmentConfig {
  /** Probability of a mirror image. The heart changes side; pneumonia does not mind. */
  flip: number;
  /** Degrees. */
  rotation: number;
  /** Relative size. */
  scale: number;
  /** Share of the side. */
  shift: number;
  /** Relative width against height. */
  aspect: number;
  /** Natural logarithm of gamma. */
  gamma: number;
  contrast: number;
  /** Share of the grey range. */
  brightness: number;
  /** Probability, and range of strengths, of taking another film's grey histogram. */
  histogramSwap: number;
  histogramStrength: [number, number];
  /** Probability of partial histogram equalisation (strength up to 1). */
  equalize: number;
  /** Probability, for each corner, of erasing it or of painting a mark on it. */
  cornerErase: number;
  cornerMark: number;
  /** Probability of blurring or sharpening; of shrinking and enlarging; of noise; of shading. */
  sharpness: number;
  downscale: number;
  noise: number;
  shading: number;
  /** Probability of random erasing (Zhong et al. 2020). */
  erase: number;
}

/** Training: breaks the link between scanner and label (trial D of the training recipe). */
export const STRONG: AugmentConfig = {
  flip: 0.5,
  rotation: 10,
  scale: 0.12,
  shift: 0.1,
  aspect: 0.1,
  gamma: 0.35,
  contrast: 0.3,
  brightness: 0.15,
  histogramSwap: 0.6,
  histogramStrength: [0.4, 1],
  equalize: 0.3,
  cornerErase: 0.4,
  cornerMark: 0.4,
  sharpness: 0.5,
  downscale: 0.3,
  noise: 0.4,
  shading: 0.3,
  erase: 0.3,
};

/** Stressed validation: what clinics do to a film, without what only training needs. */
export const STRESS: AugmentConfig = {
  ...STRONG,
  shift: 0.06,
  histogramSwap: 0,
  cornerErase: 0.2,
  cornerMark: 0.2,
  erase: 0,
};

/** Where the films are: one byte a pixel, `side * side` a film, one after the other. */
export interface PixelStore {
  side: number;
  count: number;
  /** Copies film `index` into `target`. */
  load(index: number, target: Uint8Array): void;
  close(): void;
}

/**
 * One augmented film.
 * @param source square film of `side * side` grey levels, as the ONNX graph's resize leaves it.
 * @param donor another film whose histogram may be lent, same size.
 * @param target receives `size * size` grey levels (floats, 0 to 255).
 */
export function augment(
  source: Uint8Array,
  donor: Uint8Array,
  side: number,
  target: Float32Array,
  size: number,
  config: AugmentConfig,
  random: Random,
): void {
  const chance = (probability: number) => random.uniform() < probability;
  const spread = (range: number) => (random.uniform() * 2 - 1) * range;

  let film = source;
  if (chance(config.cornerErase + config.cornerMark)) {
    film = Uint8Array.from(source);
    paintCorners(film, side, config, random);
  }
  const curve = toneCurve(film, donor, config, random);

  const angle = (spread(config.rotation) * Math.PI) / 180;
  const scale = 1 + spread(config.scale);
  const aspect = Math.sqrt(1 + spread(config.aspect));
  const mirror = chance(config.flip) ? -1 : 1;
  const shiftX = spread(config.shift) * size;
  const shiftY = spread(config.shift) * size;
  const cos = Math.cos(angle);
  const sin = Math.sin(angle);
  const matrix = {
    xx: (mirror * cos * aspect) / scale,
    xy: (mirror * -sin * aspect) / scale,
    yx: sin / aspect / scale,
    yy: cos / aspect / scale,
    x: shiftX,
    y: shiftY,
  };
  sampleAffine(film, side, curve, matrix, target, size);

  if (chance(config.downscale)) reduceResolution(target, size, 0.4 + 0.5 * random.uniform());
  if (chance(config.sharpness)) sharpen(target, size, spread(1));
  if (chance(config.shading)) shade(target, size, spread(0.15), spread(0.15));
  if (chance(config.noise)) addNoise(target, random.uniform() * 0.04 * 255, random);
  if (chance(config.erase)) eraseRectangle(target, size, random);
  for (let i = 0; i < target.length; i++) {
    const value = target[i]!;
    target[i] = value < 0 ? 0 : value > 255 ? 255 : value;
  }
}

/** The untouched film: the central crop of the contract. */
export function centralCrop(
  source: Uint8Array,
  side: number,
  target: Float32Array,
  size: number,
): void {
  const offset = (side - size) >> 1;
  for (let y = 0; y < size; y++) {
    const row = (y + offset) * side + offset;
    for (let x = 0; x < size; x++) target[y * size + x] = source[row + x]!;
  }
}

/** Everything that maps a grey level to a grey level, in one table of 256. */
function toneCurve(
  film: Uint8Array,
  donor: Uint8Array,
  config: AugmentConfig,
  random: Random,
): Float32Array {
  const spread = (range: number) => (random.uniform() * 2 - 1) * range;
  const curve = Float32Array.from({ length: 256 }, (_, level) => level);
  if (random.uniform() < config.histogramSwap) {
    const [low, high] = config.histogramStrength;
    blend(curve, matchHistogram(film, donor), low + (high - low) * random.uniform());
  } else if (random.uniform() < config.equalize) {
    const own = cumulative(film);
    const flat = Float32Array.from(own, (share) => share * 255);
    blend(curve, flat, random.uniform());
  }
  const gamma = Math.exp(spread(config.gamma));
  const contrast = 1 + spread(config.contrast);
  const brightness = spread(config.brightness) * 255;
  for (let level = 0; level < 256; level++) {
    const bent = 255 * (Math.max(0, curve[level]!) / 255) ** gamma;
    curve[level] = (bent - 127.5) * contrast + 127.5 + brightness;
  }
  return curve;
}

function blend(curve: Float32Array, other: Float32Array, strength: number): void {
  for (let i = 0; i < curve.length; i++)
    curve[i] = curve[i]! * (1 - strength) + other[i]! * strength;
}

function cumulative(film: Uint8Array): Float32Array {
  const counts = new Float32Array(256);
  for (const level of film) counts[level]!++;
  let sum = 0;
  return counts.map((count) => (sum += count) / film.length);
}

/** The tone curve that gives `film` the grey histogram of `donor`. */
export function matchHistogram(film: Uint8Array, donor: Uint8Array): Float32Array {
  const own = cumulative(film);
  const theirs = cumulative(donor);
  const curve = new Float32Array(256);
  for (let level = 0, match = 0; level < 256; level++) {
    while (match < 255 && theirs[match]! < own[level]!) match++;
    curve[level] = match;
  }
  return curve;
}

/** Scanners write side marks and kilovolts into the corners: hide them, or write some. */
function paintCorners(film: Uint8Array, side: number, config: AugmentConfig, random: Random): void {
  const total = config.cornerErase + config.cornerMark;
  for (const [right, bottom] of [
    [0, 0],
    [1, 0],
    [0, 1],
    [1, 1],
  ] as const) {
    if (random.uniform() >= total) continue;
    const width = Math.round(side * (0.06 + 0.14 * random.uniform()));
    const height = Math.round(side * (0.06 + 0.14 * random.uniform()));
    const left = right ? side - width : 0;
    const top = bottom ? side - height : 0;
    if (random.uniform() < config.cornerErase / total) {
      const level = random.uniform() < 0.5 ? 0 : random.integer(256);
      for (let y = top; y < top + height; y++)
        film.fill(level, y * side + left, y * side + left + width);
    } else paintMark(film, side, left, top, width, height, random);
  }
}

/** Three or four strokes in a 5 x 7 grid: looks like a letter, says nothing. */
function paintMark(
  film: Uint8Array,
  side: number,
  left: number,
  top: number,
  width: number,
  height: number,
  random: Random,
): void {
  const level = 180 + random.integer(76);
  const thickness = Math.max(1, Math.round(Math.min(width, height) / 7));
  const stroke = (x: number, y: number, w: number, h: number) => {
    for (let row = y; row < Math.min(y + h, top + height); row++) {
      const end = Math.min(x + w, left + width);
      film.fill(level, row * side + x, row * side + end);
    }
  };
  const strokes = 3 + random.integer(2);
  for (let i = 0; i < strokes; i++) {
    const x = left + random.integer(Math.max(1, width - thickness));
    const y = top + random.integer(Math.max(1, height - thickness));
    if (random.uniform() < 0.5) stroke(x, top + thickness, thickness, height - 2 * thickness);
    else stroke(left + thickness, y, width - 2 * thickness, thickness);
  }
}

interface Affine {
  xx: number;
  xy: number;
  yx: number;
  yy: number;
  x: number;
  y: number;
}

/** Bilinear sampling about the centre; outside the film its edge goes on as black. */
function sampleAffine(
  film: Uint8Array,
  side: number,
  curve: Float32Array,
  matrix: Affine,
  target: Float32Array,
  size: number,
): void {
  const centre = (size - 1) / 2;
  const middle = (side - 1) / 2;
  const outside = Math.max(0, curve[0]!);
  const last = side - 1;
  for (let y = 0; y < size; y++) {
    const dy = y - centre - matrix.y;
    for (let x = 0; x < size; x++) {
      const dx = x - centre - matrix.x;
      const u = matrix.xx * dx + matrix.xy * dy + middle;
      const v = matrix.yx * dx + matrix.yy * dy + middle;
      const i = y * size + x;
      if (u < 0 || v < 0 || u >= last || v >= last) {
        target[i] = outside;
        continue;
      }
      const left = u | 0;
      const top = v | 0;
      const a = u - left;
      const b = v - top;
      const p = top * side + left;
      const upper = curve[film[p]!]! * (1 - a) + curve[film[p + 1]!]! * a;
      const lower = curve[film[p + side]!]! * (1 - a) + curve[film[p + side + 1]!]! * a;
      target[i] = upper * (1 - b) + lower * b;
    }
  }
}

/** Shrinks to `factor` of the side by box averages and enlarges again bilinearly. */
function reduceResolution(image: Float32Array, size: number, factor: number): void {
  const small = Math.max(8, Math.round(size * factor));
  const ratio = size / small;
  const columns = new Float32Array(size * small);
  boxReduce(image, columns, size, small, ratio, size, 1, small, 1);
  const reduced = new Float32Array(small * small);
  boxReduce(columns, reduced, size, small, ratio, small, small, small, small, true);
  for (let y = 0; y < size; y++) {
    const v = Math.min(small - 1, Math.max(0, (y + 0.5) / ratio - 0.5));
    const top = Math.min(small - 2, v | 0);
    const b = v - top;
    for (let x = 0; x < size; x++) {
      const u = Math.min(small - 1, Math.max(0, (x + 0.5) / ratio - 0.5));
      const left = Math.min(small - 2, u | 0);
      const a = u - left;
      const p = top * small + left;
      const upper = reduced[p]! * (1 - a) + reduced[p + 1]! * a;
      const lower = reduced[p + small]! * (1 - a) + reduced[p + small + 1]! * a;
      image[y * size + x] = upper * (1 - b) + lower * b;
    }
  }
}

/** Area-weighted means along one axis: rows of `source` unless `vertical`. */
function boxReduce(
  source: Float32Array,
  target: Float32Array,
  size: number,
  small: number,
  ratio: number,
  lines: number,
  sourceStep: number,
  targetLine: number,
  targetStep: number,
  vertical = false,
): void {
  for (let line = 0; line < lines; line++) {
    const sourceStart = vertical ? line : line * size;
    const targetStart = vertical ? line : line * targetLine;
    for (let i = 0; i < small; i++) {
      const from = i * ratio;
      const to = from + ratio;
      let sum = 0;
      for (let j = from | 0; j < Math.min(size, Math.ceil(to)); j++) {
        const overlap = Math.min(to, j + 1) - Math.max(from, j);
        sum += source[sourceStart + j * sourceStep]! * overlap;
      }
      target[targetStart + i * targetStep] = sum / ratio;
    }
  }
}

/** Unsharp masking with a 3 x 3 box: `amount` above 0 sharpens, below 0 blurs. */
function sharpen(image: Float32Array, size: number, amount: number): void {
  const passes = amount < -0.5 ? 2 : 1;
  for (let pass = 0; pass < passes; pass++) {
    const blurred = boxBlur(image, size);
    const weight = amount < 0 ? Math.max(-1, amount * 1.5) : amount * 1.5;
    for (let i = 0; i < image.length; i++) {
      image[i] = image[i]! + weight * (image[i]! - blurred[i]!);
    }
  }
}

function boxBlur(image: Float32Array, size: number): Float32Array {
  const rows = new Float32Array(image.length);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const i = y * size + x;
      const left = x > 0 ? image[i - 1]! : image[i]!;
      const right = x < size - 1 ? image[i + 1]! : image[i]!;
      rows[i] = (left + image[i]! + right) / 3;
    }
  }
  const result = new Float32Array(image.length);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const i = y * size + x;
      const above = y > 0 ? rows[i - size]! : rows[i]!;
      const below = y < size - 1 ? rows[i + size]! : rows[i]!;
      result[i] = (above + rows[i]! + below) / 3;
    }
  }
  return result;
}

/** A linear change of brightness across the film, as an uneven light box makes it. */
function shade(image: Float32Array, size: number, acrossX: number, acrossY: number): void {
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const factor = 1 + acrossX * ((2 * x) / size - 1) + acrossY * ((2 * y) / size - 1);
      image[y * size + x] = image[y * size + x]! * factor;
    }
  }
}

/** Normal deviates drawn once: a random stretch of this table is as good and far cheaper. */
let deviates: Float32Array | undefined;

function addNoise(image: Float32Array, deviation: number, random: Random): void {
  deviates ??= normalTable();
  const stride = 1 + 2 * random.integer(8);
  let at = random.integer(deviates.length);
  for (let i = 0; i < image.length; i++) {
    image[i] = image[i]! + deviation * deviates[at]!;
    at += stride;
    if (at >= deviates.length) at -= deviates.length;
  }
}

function normalTable(): Float32Array {
  const random = createRandom(20_180_223);
  return Float32Array.from({ length: 65_537 }, () => random.normal());
}

function eraseRectangle(image: Float32Array, size: number, random: Random): void {
  const width = Math.round(size * (0.1 + 0.2 * random.uniform()));
  const height = Math.round(size * (0.1 + 0.2 * random.uniform()));
  const left = random.integer(size - width);
  const top = random.integer(size - height);
  const level = random.uniform() * 255;
  for (let y = top; y < top + height; y++) {
    image.fill(level, y * size + left, y * size + left + width);
  }
}
