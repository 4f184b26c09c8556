import type { LayersModel, SymbolicTensor, Tensor } from '@tensorflow/tfjs';
import { openSession, ort } from '../../export/runtime.ts';
import { createRandom, type Random } from '../../reader/random.ts';
import { openBackend } from '../../training/backend.ts';
import type { TF } from '../../training/tensorflow.ts';
import { registerLayers } from '../../training/network.ts';

/** TF.js in full float32, with this project's layers. */
export async function openTf(): Promise<TF> {
  const { tf } = await openBackend('wasm');
  registerLayers(tf);
  return tf;
}

/**
 * Gives every layer random weights of sensible size: He-normal kernels, and batch normalisation as
 * after training (no neutral factor that would hide a mistake in folding it).
 */
export function randomizeWeights(tf: TF, model: LayersModel, seed: number): void {
  const random = createRandom(seed);
  for (const layer of model.layers) {
    const isNormalization = layer.getClassName() === 'BatchNormalization';
    const weights = layer.getWeights().map((weight) => {
      const fanIn = weight.shape.slice(0, -1).reduce((product, side) => product * side, 1);
      const value = isNormalization
        ? () => 0.5 + random.uniform()
        : weight.shape.length > 1
          ? () => random.normal() * Math.sqrt(2 / fanIn)
          : () => random.normal() * 0.1;
      return tf.tensor(Float32Array.from({ length: weight.size }, value), weight.shape);
    });
    if (weights.length > 0) layer.setWeights(weights);
  }
}

/** Runs an ONNX model in the runtime that reads films. */
export async function runOnnx(
  model: Uint8Array,
  feeds: Record<string, ort.Tensor>,
): Promise<Record<string, Float32Array>> {
  const session = await openSession(model);
  try {
    const outputs = await session.run(feeds);
    return Object.fromEntries(
      Object.entries(outputs).map(([name, tensor]) => [name, tensor.data as Float32Array]),
    );
  } finally {
    await session.release();
  }
}

/** Grey levels with structure at several scales: noise alone would make every network's day grey. */
export function randomImage(random: Random, height: number, width: number): Uint8Array {
  const [a, b, c] = [random.uniform(), random.uniform(), random.uniform()];
  return Uint8Array.from({ length: height * width }, (_, at) => {
    const y = Math.floor(at / width) / height;
    const x = (at % width) / width;
    const wave = Math.sin(9 * a * x + 5 * b) + Math.cos(11 * c * y) + 0.4 * random.normal();
    return Math.max(0, Math.min(255, 120 + 45 * wave));
  });
}

/** The network up to `map`, flattened, and one dense logit, so that every pixel counts. */
export function withLogit(tf: TF, input: SymbolicTensor, map: SymbolicTensor): LayersModel {
  const flat = map.shape.length > 2 ? tf.layers.flatten().apply(map) : map;
  const logit = tf.layers.dense({ units: 1, name: 'logit' }).apply(flat) as SymbolicTensor;
  return tf.model({ inputs: input, outputs: logit });
}

export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Infinity;
  let largest = 0;
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(a[i]! - b[i]!));
  return largest;
}

export const valuesOf = (tensor: Tensor | Tensor[]): Float32Array =>
  (tensor as Tensor).dataSync() as Float32Array;

export { ort };
