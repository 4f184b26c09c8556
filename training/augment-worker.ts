import { parentPort, workerData } from 'node:worker_threads';
import { createRandom } from '../reader/random.ts';
import { augment, centralCrop } from './augment.ts';
import type { BatchRequest, StoreLocation } from './batches.ts';
import { openPixelStore } from './films.ts';

const { path, side, count } = workerData as StoreLocation;
const store = openPixelStore(path, side, count);
const source = new Uint8Array(side * side);
const donor = new Uint8Array(side * side);

parentPort!.on('message', ({ id, films, size, config, seed }: BatchRequest) => {
  const pixels = new Float32Array(films.length * size * size);
  for (const [slot, film] of films.entries()) {
    const target = pixels.subarray(slot * size * size, (slot + 1) * size * size);
    store.load(film.index, source);
    if (!config) {
      centralCrop(source, side, target, size);
      continue;
    }
    store.load(film.donor, donor);
    augment(source, donor, side, target, size, config, createRandom(seed + slot));
  }
  parentPort!.postMessage({ id, pixels }, [pixels.buffer]);
});
