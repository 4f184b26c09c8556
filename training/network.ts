import type { LayersModel, Shape, Tensor, serialization, SymbolicTensor } from '@tensorflow/tfjs';
import { PREPROCESSING } from '../reader/contract.ts';
import { createRandom } from '../reader/random.ts';
import type { Backend } from './backend.ts';
import type { TF } from './tensorflow.ts';
import { composedBatchNormalize } from './gradients.ts';
import { fusedBatchNormalize } from './gradients-native.ts';

/** Shape of the residual CNN. The defaults are trial D's (about 0.65 G multiply-adds, 1.57 M weights). */
export interface NetworkConfig {
  /** Side of the square input, in pixels. */
  inputSize: number;
  /** Channels of the four stages; the stem has the first one's. */
  widths: number[];
  /** Residual blocks in each stage. */
  blocks: number[];
  dropout: number;
}

export const DEFAULT_NETWORK: NetworkConfig = {
  inputSize: PREPROCESSING.inputSize,
  widths: [24, 48, 96, 192],
  blocks: [1, 2, 2, 2],
  dropout: 0.3,
};

/** TF.js's own default; the exporter reads it from the layer. */
const BN_EPSILON = 1e-3;
/** Share of the old value the moving statistics keep at each step. */
const BN_MOMENTUM = 0.98;

/**
 * Per-image normalisation: minus the mean, over the standard deviation plus epsilon (grey levels).
 * [batch, h, w, 1] -> same. The exporter writes it into the ONNX graph, so it is the network's
 * own first layer and no reader can leave it out.
 */
function imageStandardizationClass(tf: TF) {
  class ImageStandardization extends tf.layers.Layer {
    static className = 'ImageStandardization';
    readonly epsilon: number;
    constructor(config: { epsilon?: number; name?: string }) {
      super(config as never);
      this.epsilon = config.epsilon ?? PREPROCESSING.epsilon;
    }
    override computeOutputShape(shape: Shape): Shape {
      return shape;
    }
    override call(inputs: Tensor | Tensor[]): Tensor {
      return tf.tidy(() => {
        const x = Array.isArray(inputs) ? inputs[0]! : inputs;
        const { mean, variance } = tf.moments(x, [1, 2, 3], true);
        return tf.div(tf.sub(x, mean), tf.add(tf.sqrt(variance), this.epsilon));
      });
    }
    override getConfig(): serialization.ConfigDict {
      return { ...super.getConfig(), epsilon: this.epsilon };
    }
  }
  return ImageStandardization;
}

const registered = new WeakSet<object>();

/** Makes this project's layers known to `tf.loadLayersModel`. Call before loading a run. */
export function registerLayers(tf: TF): ReturnType<typeof imageStandardizationClass> {
  const layerClass = imageStandardizationClass(tf);
  if (!registered.has(tf)) {
    tf.serialization.registerClass(layerClass as never);
    registered.add(tf);
  }
  return layerClass;
}

/**
 * Batch normalisation that trains by the engine's best kernel and saves as TF.js's standard
 * `BatchNormalization`, so that a finished run loads without this code.
 */
function batchNormalizationClass({ tf, name }: Backend) {
  const normalize = name === 'tensorflow' ? fusedBatchNormalize(tf) : composedBatchNormalize(tf);
  const Standard = tf.layers.batchNormalization({}).constructor as new (
    config: object,
  ) => InstanceType<typeof tf.layers.Layer>;
  return class BatchNormalization extends Standard {
    override call(inputs: Tensor | Tensor[], kwargs: { training?: boolean }): Tensor | Tensor[] {
      if (!kwargs.training) return super.call(inputs, kwargs);
      const x = Array.isArray(inputs) ? inputs[0]! : inputs;
      const [gamma, beta, mean, variance] = this.weights as unknown as LayerWeight[];
      const average = (old: LayerWeight, value: Tensor) =>
        tf.tidy(() => {
          old.write(tf.add(tf.mul(old.read(), BN_MOMENTUM), tf.mul(value, 1 - BN_MOMENTUM)));
        });
      return normalize(x, gamma!.read(), beta!.read(), BN_EPSILON, (batchMean, batchVariance) => {
        average(mean!, batchMean);
        average(variance!, batchVariance);
      });
    }
  };
}

interface LayerWeight {
  read(): Tensor;
  write(value: Tensor): void;
}

/**
 * The residual CNN: per-image normalisation, a two-convolution stem (the first at stride 2), four
 * stages of residual blocks, global average pooling, one logit, and an auxiliary logit (bacterial
 * or viral) that the exporter drops. He et al. 2016, with the pooled shortcut of He et al. 2019
 * (ResNet-D); no depthwise convolutions, which int8 kernels slow down.
 * Input [batch, s, s, 1] grey levels 0 to 255; outputs `logit` and `auxiliary`, each [batch, 1].
 * @param seed fixes the initial weights, on every engine alike.
 */
export function buildNetwork(backend: Backend, config: NetworkConfig, seed: number): LayersModel {
  const { tf } = backend;
  const ImageStandardization = registerLayers(tf);
  const BatchNormalization = batchNormalizationClass(backend);
  type T = SymbolicTensor;

  const conv = (filters: number, kernelSize: number, strides: number, name: string) => (x: T) =>
    tf.layers
      .conv2d({ filters, kernelSize, strides, padding: 'same', useBias: false, name })
      .apply(x) as T;
  const normalize = (name: string) => (x: T) =>
    new BatchNormalization({ epsilon: BN_EPSILON, momentum: BN_MOMENTUM, name }).apply(x) as T;
  const relu = (name: string) => (x: T) => tf.layers.reLU({ name }).apply(x) as T;

  const block = (x: T, filters: number, stride: number, name: string): T => {
    let y = conv(filters, 3, stride, `${name}_conv1`)(x);
    y = relu(`${name}_relu1`)(normalize(`${name}_bn1`)(y));
    y = normalize(`${name}_bn2`)(conv(filters, 3, 1, `${name}_conv2`)(y));
    let shortcut = x;
    if (stride === 2) {
      shortcut = tf.layers
        .averagePooling2d({ poolSize: 2, strides: 2, padding: 'same', name: `${name}_pool` })
        .apply(shortcut) as T;
    }
    if (x.shape[3] !== filters) {
      shortcut = conv(filters, 1, 1, `${name}_project`)(shortcut);
      shortcut = normalize(`${name}_bn3`)(shortcut);
    }
    const sum = tf.layers.add({ name: `${name}_add` }).apply([y, shortcut]) as T;
    return relu(`${name}_relu2`)(sum);
  };

  const input = tf.input({ shape: [config.inputSize, config.inputSize, 1], name: 'grey' });
  let x = new ImageStandardization({ name: 'standardize' }).apply(input) as T;
  for (const [index, stride] of [2, 1].entries()) {
    const name = `stem${index + 1}`;
    x = conv(config.widths[0]!, 3, stride, `${name}_conv`)(x);
    x = relu(`${name}_relu`)(normalize(`${name}_bn`)(x));
  }
  for (const [stage, filters] of config.widths.entries()) {
    for (let index = 0; index < config.blocks[stage]!; index++) {
      const stride = stage > 0 && index === 0 ? 2 : 1;
      x = block(x, filters, stride, `stage${stage + 1}_block${index + 1}`);
    }
  }
  x = tf.layers.globalAveragePooling2d({ name: 'pool' }).apply(x) as T;
  x = tf.layers.dropout({ rate: config.dropout, seed, name: 'dropout' }).apply(x) as T;
  const head = (name: string) => tf.layers.dense({ units: 1, name }).apply(x) as T;
  const model = tf.model({ inputs: input, outputs: [head('logit'), head('auxiliary')] });
  initialize(tf, model, seed);
  return model;
}

/** He-normal weights out of our own generator, so that a seed means the same on every engine. */
function initialize(tf: TF, model: LayersModel, seed: number): void {
  const random = createRandom(seed);
  for (const layer of model.layers) {
    const [kernel] = layer.getWeights();
    if (layer.getClassName() === 'Conv2D' && kernel) {
      const [h, w, inputs] = kernel.shape as [number, number, number];
      const deviation = Math.sqrt(2 / (h * w * inputs));
      const values = Float32Array.from({ length: kernel.size }, () => random.normal() * deviation);
      layer.setWeights([tf.tensor(values, kernel.shape)]);
    } else if (layer.getClassName() === 'Dense' && kernel) {
      const values = Float32Array.from({ length: kernel.size }, () => random.normal() * 0.02);
      layer.setWeights([tf.tensor(values, kernel.shape), tf.zeros([1])]);
    } else if (layer.name.endsWith('_bn2')) {
      // A block starts as the identity (Goyal et al. 2017, section 5.1).
      const [gamma, ...rest] = layer.getWeights() as [Tensor, ...Tensor[]];
      layer.setWeights([tf.zerosLike(gamma), ...rest]);
    }
  }
}
