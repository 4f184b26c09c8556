import * as ort from 'onnxruntime-web/wasm';
import { CONTRACT } from '../reader/contract.ts';
import type { Film } from '../reader/film.ts';

/**
 * onnxruntime-web's WASM build on one thread, as tablets run it: what the exporter measures is then
 * what ships. (With more threads this build looks for Node's modules in a way that Node refuses.)
 */
ort.env.wasm.numThreads = 1;

/** Opens a model. Call `release` on it when done; runs must not overlap. */
export function openSession(model: Uint8Array): Promise<ort.InferenceSession> {
  return ort.InferenceSession.create(model, {
    executionProviders: ['wasm'],
    graphOptimizationLevel: 'all',
    logSeverityLevel: 3,
  });
}

/** A film as the models take it: uint8 [height, width]. */
export function filmTensor({ grey, height, width }: Film): ort.Tensor {
  return new ort.Tensor('uint8', grey, [height, width]);
}

/** Gives the calibrated logit of films. */
export async function openReader(
  model: Uint8Array,
): Promise<{ logit(film: Film): Promise<number>; close(): Promise<void> }> {
  const session = await openSession(model);
  return {
    async logit(film) {
      const outputs = await session.run({ [CONTRACT.input]: filmTensor(film) });
      return (outputs[CONTRACT.logit]!.data as Float32Array)[0]!;
    },
    close: () => session.release(),
  };
}

export { ort };
