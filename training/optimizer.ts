import type { Tensor, Variable } from '@tensorflow/tfjs';
import type { TF } from './tensorflow.ts';

export interface OptimizerConfig {
  /** Peak of the one-cycle schedule. */
  learningRate: number;
  /** Share of all steps spent warming up. */
  warmUp: number;
  /** Decoupled weight decay, on kernels only: biases and normalisation are left alone. */
  weightDecay: number;
  /** Largest global norm of the gradient. */
  clipNorm: number;
  /** Share of the old value the exponential average of the weights keeps at each step. */
  average: number;
}

export const DEFAULT_OPTIMIZER: OptimizerConfig = {
  learningRate: 2e-3,
  warmUp: 0.15,
  weightDecay: 0.05,
  clipNorm: 2,
  average: 0.995,
};

const BETA1 = 0.9;
const BETA2 = 0.999;
const EPSILON = 1e-8;

/**
 * Learning rate at `step` of `total`: linear warm-up, then half a cosine down to a hundredth of
 * the peak (the one-cycle policy of Smith 2018, with a cosine as in Loshchilov and Hutter 2017).
 */
export function oneCycle(step: number, total: number, config: OptimizerConfig): number {
  const warm = Math.max(1, Math.round(total * config.warmUp));
  if (step < warm) return (config.learningRate * (step + 1)) / warm;
  const progress = (step - warm) / Math.max(1, total - warm);
  const floor = config.learningRate / 100;
  return (
    floor + (config.learningRate - floor) * 0.5 * (1 + Math.cos(Math.PI * Math.min(1, progress)))
  );
}

/**
 * AdamW (Loshchilov and Hutter 2019) with gradient clipping by global norm. Its state is a list of
 * tensors, in the order of `variables`, so that a checkpoint can hold it.
 */
export class AdamW {
  readonly #tf: TF;
  readonly #variables: Variable[];
  readonly #config: OptimizerConfig;
  readonly #first: Variable[];
  readonly #second: Variable[];

  constructor(tf: TF, variables: Variable[], config: OptimizerConfig) {
    this.#tf = tf;
    this.#variables = variables;
    this.#config = config;
    const zeros = () => variables.map((variable) => tf.variable(tf.zerosLike(variable), false));
    this.#first = zeros();
    this.#second = zeros();
  }

  /** First and second moments, to save and to restore by `assign`. */
  get state(): Variable[] {
    return [...this.#first, ...this.#second];
  }

  /**
   * One update.
   * @param gradients by variable name, as `tf.variableGrads` gives them; disposed of here.
   * @param step counts from 0.
   */
  apply(gradients: Record<string, Tensor>, step: number, learningRate: number): void {
    const tf = this.#tf;
    const { clipNorm, weightDecay } = this.#config;
    const correction1 = 1 - BETA1 ** (step + 1);
    const correction2 = 1 - BETA2 ** (step + 1);
    tf.tidy(() => {
      const list = this.#variables.map((variable) => gradients[variable.name]!);
      const squares = list.map((gradient) => tf.sum(tf.square(gradient)));
      const norm = tf.sqrt(tf.addN(squares));
      const scale = tf.div(clipNorm, tf.maximum(norm, clipNorm));
      for (const [i, variable] of this.#variables.entries()) {
        const gradient = tf.mul(list[i]!, scale);
        const first = this.#first[i]!;
        const second = this.#second[i]!;
        first.assign(tf.add(tf.mul(first, BETA1), tf.mul(gradient, 1 - BETA1)));
        second.assign(tf.add(tf.mul(second, BETA2), tf.mul(tf.square(gradient), 1 - BETA2)));
        const step = tf.div(
          tf.mul(first, learningRate / correction1),
          tf.add(tf.sqrt(tf.div(second, correction2)), EPSILON),
        );
        const decay = variable.rank > 1 ? 1 - learningRate * weightDecay : 1;
        variable.assign(tf.sub(tf.mul(variable, decay), step));
      }
    });
    for (const gradient of Object.values(gradients)) gradient.dispose();
  }
}
