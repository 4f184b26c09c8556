import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import turbo from '@cornerstonejs/codec-libjpeg-turbo-8bit/wasmjs';
import { encode } from 'fast-png';
import type { Film } from '../reader/film.ts';
import { drawPhantom } from '../reader/phantom.ts';
import { createRandom } from '../reader/random.ts';

/** Samples to be written: grey (1 channel) or RGB (3), row-major and interleaved. */
export interface Samples {
  width: number;
  height: number;
  channels: 1 | 3;
  data: Uint8Array;
}

export interface JpegSettings {
  /** 1 to 100. */
  quality?: number;
  progressive?: boolean;
}

let loading: ReturnType<typeof turbo> | undefined;

/** A JPEG by libjpeg-turbo; colour without subsampling. */
export async function encodeJpeg(
  { width, height, channels, data }: Samples,
  { quality = 90, progressive = false }: JpegSettings = {},
): Promise<Uint8Array> {
  const module = await (loading ??= turbo());
  const encoder = new module.JPEGEncoder();
  try {
    encoder.setQuality(quality);
    encoder.setProgressive(progressive);
    // TJSAMP_GRAY is 3, TJSAMP_444 is 0.
    encoder.setSubSampling(channels === 1 ? 3 : 0);
    const frame = { width, height, bitsPerSample: 8, componentCount: channels, isSigned: false };
    encoder.getDecodedBuffer(frame).set(data);
    encoder.encode();
    return new Uint8Array(encoder.getEncodedBuffer());
  } finally {
    encoder.delete();
  }
}

export function greySamples({ width, height, grey }: Film): Samples {
  return { width, height, channels: 1, data: grey };
}

export function filmJpeg(film: Film, settings?: JpegSettings): Promise<Uint8Array> {
  return encodeJpeg(greySamples(film), settings);
}

/** An 8-bit grey PNG: the film's pixels exactly. */
export function filmPng({ width, height, grey }: Film): Uint8Array {
  return encode({ width, height, channels: 1, depth: 8, data: grey });
}

export interface PhantomFolder {
  /** Films in each class, each of a patient of its own. */
  normal: number;
  pneumonia: number;
  /** Height in pixels; the width is 1.14 times as much. */
  size: number;
  seed?: number;
}

/**
 * Writes drawn films in the Kaggle layout: `dir/NORMAL/IM-0001-0001.jpeg`,
 * `dir/PNEUMONIA/person1_bacteria_1.jpeg` and `person2_virus_2.jpeg`.
 * @returns the paths, normal ones first.
 */
export async function writePhantomFolder(
  dir: string,
  { normal, pneumonia, size, seed = 1 }: PhantomFolder,
): Promise<string[]> {
  const random = createRandom(seed);
  const paths: string[] = [];
  const write = async (path: string, consolidation: number) => {
    const height = size;
    const width = Math.round(size * 1.14);
    const film = drawPhantom({ width, height, seed: random.integer(2 ** 31), consolidation });
    await writeFile(path, await filmJpeg(film));
    paths.push(path);
  };
  await mkdir(join(dir, 'NORMAL'), { recursive: true });
  await mkdir(join(dir, 'PNEUMONIA'), { recursive: true });
  for (let k = 1; k <= normal; k++) {
    const number = String(k).padStart(4, '0');
    await write(join(dir, 'NORMAL', `IM-${number}-0001.jpeg`), 0);
  }
  for (let k = 1; k <= pneumonia; k++) {
    const kind = k % 2 === 1 ? 'bacteria' : 'virus';
    const path = join(dir, 'PNEUMONIA', `person${k}_${kind}_${k}.jpeg`);
    await write(path, 0.6 + 0.4 * random.uniform());
  }
  return paths;
}
