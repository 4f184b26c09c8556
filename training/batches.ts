import { Worker } from 'node:worker_threads';
import type { AugmentConfig } from './augment.ts';

export interface StoreLocation {
  path: string;
  side: number;
  count: number;
}

/** One batch to make. The same request makes the same pixels, whichever worker takes it. */
export interface BatchRequest {
  id: number;
  /** Which films, and which other film each may borrow its grey histogram from. */
  films: { index: number; donor: number }[];
  /** Side of the result, in pixels. */
  size: number;
  /** Null leaves the films as they are, but for the central crop. */
  config: AugmentConfig | null;
  seed: number;
}

/** Makes batches beside the training, so that the engine never waits for pixels. */
export interface BatchMaker {
  /** @returns `films.length * size * size` grey levels, 0 to 255. */
  make(request: Omit<BatchRequest, 'id'>): Promise<Float32Array>;
  close(): Promise<void>;
}

/** Starts the worker thread that loads and augments films. */
export function createBatchMaker(store: StoreLocation): BatchMaker {
  // A thread starts without the TypeScript loader of its parent.
  const script = new URL('./augment-worker.ts', import.meta.url);
  const loader = import.meta.resolve('tsx/esm/api');
  const bootstrap = `import('${loader}').then((tsx) => { tsx.register(); return import('${script}'); })`;
  const worker = new Worker(bootstrap, { eval: true, workerData: store });
  const waiting = new Map<
    number,
    { resolve(pixels: Float32Array): void; reject(error: Error): void }
  >();
  let next = 0;
  let failure: Error | undefined;
  worker.on('message', ({ id, pixels }: { id: number; pixels: Float32Array }) => {
    waiting.get(id)?.resolve(pixels);
    waiting.delete(id);
  });
  worker.on('error', (error) => {
    failure = error as Error;
    for (const { reject } of waiting.values()) reject(failure);
    waiting.clear();
  });
  return {
    make: (request) =>
      new Promise((resolve, reject) => {
        if (failure) return reject(failure);
        const id = next++;
        waiting.set(id, { resolve, reject });
        worker.postMessage({ ...request, id });
      }),
    close: async () => {
      await worker.terminate();
    },
  };
}
