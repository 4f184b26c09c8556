import type { LayersModel, SymbolicTensor } from '@tensorflow/tfjs';
import type { Convolution, Dense, Network, Operation, Pads, Pair, Pooling } from './network.ts';

/** Name of the layer whose single number is exported. Other outputs are training aids. */
const LOGIT_LAYER = 'logit';

/** A network that can not be exported: the message names the layer and its class. */
export class ExportError extends Error {
  override name = 'ExportError';
}

/**
 * Translates a TF.js network into the exporter's own form: channels first, BatchNormalization
 * folded into the convolution before it, ReLU fused into what it follows, Dropout gone, the
 * calibration folded into the last layer. Only what leads to the output `logit` is kept.
 * @param model functional or sequential; input [batch, height, width, 1].
 * @param calibration logit = slope * raw + offset.
 * @throws ExportError naming the first layer that has no translation.
 */
export function translate(
  model: LayersModel,
  calibration: { slope: number; offset: number },
): Network {
  const output = model.outputs.find(({ sourceLayer }) => sourceLayer.name === LOGIT_LAYER);
  if (!output) {
    const names = model.outputs.map(({ sourceLayer }) => sourceLayer.name).join(', ');
    throw new ExportError(`The network has no output layer named "${LOGIT_LAYER}", only ${names}.`);
  }
  const translation = new Translation(output);
  const last = translation.result;
  if (last?.kind !== 'dense' || last.relu || last.shape[0] !== 1) {
    throw new ExportError(
      `The output layer "${LOGIT_LAYER}" must be Dense with one unit and no activation. Nothing was ` +
        'written. Change the network.',
    );
  }
  last.weight = last.weight.map((value) => value * calibration.slope);
  last.bias = last.bias.map((value) => value * calibration.slope + calibration.offset);
  return { input: translation.input, operations: translation.operations, logit: last.name };
}

type Layer = SymbolicTensor['sourceLayer'];

/** What is read of TF.js's layer configurations. */
interface LayerConfig {
  activation?: string;
  axis: number;
  center: boolean;
  dataFormat?: string;
  dilationRate: Pair;
  epsilon: number;
  keepDims?: boolean;
  /** Null in a network that was saved and loaded. */
  maxValue?: number | null;
  padding: 'same' | 'valid' | 'causal' | [Pair, Pair];
  poolSize: Pair;
  scale: boolean;
  strides: Pair;
}

class Translation {
  readonly operations: Operation[] = [];
  readonly result: Operation | undefined;
  input: Network['input'] = { name: '', height: 0, width: 0 };
  /** The operation that makes each tensor; undefined for the network's input. */
  private readonly made = new Map<SymbolicTensor, Operation | undefined>();
  /** How many layers on the way to the output read each tensor. */
  private readonly readers = new Map<SymbolicTensor, number>();
  /** Operations whose result is read more than once: nothing may be fused into them. */
  private readonly shared = new Set<Operation>();

  constructor(output: SymbolicTensor) {
    this.countReaders(output);
    this.result = this.operationOf(output);
  }

  private countReaders(tensor: SymbolicTensor): void {
    for (const input of tensor.inputs) {
      const before = this.readers.get(input) ?? 0;
      this.readers.set(input, before + 1);
      if (before === 0) this.countReaders(input);
    }
  }

  private operationOf(tensor: SymbolicTensor): Operation | undefined {
    if (!this.made.has(tensor)) {
      // Inputs first: the operations then stand in an order in which they can run.
      for (const input of tensor.inputs) this.operationOf(input);
      const operation = this.translateLayer(tensor);
      this.made.set(tensor, operation);
      if (operation && this.readers.get(tensor)! > 1) this.shared.add(operation);
    }
    return this.made.get(tensor);
  }

  private translateLayer(tensor: SymbolicTensor): Operation | undefined {
    const layer = tensor.sourceLayer;
    const config = layer.getConfig() as unknown as LayerConfig;
    if (config.dataFormat === 'channelsFirst') throw unsupported(layer, 'with channels first');
    const before = tensor.inputs[0] && this.made.get(tensor.inputs[0]);
    const common = () => ({
      name: this.freeName(layer.name),
      input: before?.name ?? this.input.name,
      shape: channelsFirst(tensor.shape.slice(1) as number[]),
    });

    switch (layer.getClassName()) {
      case 'InputLayer':
        this.input = inputOf(tensor);
        return undefined;
      case 'ImageStandardization':
        return this.add({ ...common(), kind: 'standardization', epsilon: config.epsilon });
      case 'Conv2D':
        return this.activated(this.add({ ...common(), ...convolution(tensor) }), tensor);
      case 'Dense': {
        const flattened = before?.kind === 'flatten' ? tensor.inputs[0]!.inputs[0]! : undefined;
        return this.activated(this.add({ ...common(), ...dense(tensor, flattened) }), tensor);
      }
      case 'BatchNormalization':
        return this.folded(before, layer, config);
      case 'ReLU':
        if (typeof config.maxValue === 'number') throw unsupported(layer, 'with a maximum');
        return this.rectified(before, common());
      case 'Activation':
        if (config.activation === 'linear') return before;
        if (config.activation === 'relu') return this.rectified(before, common());
        throw unsupported(layer, `with the activation ${config.activation}`);
      case 'Add':
        return this.sum(tensor, common());
      case 'AveragePooling2D':
        return this.add({ ...common(), ...pooling(tensor), kind: 'average-pooling' });
      case 'MaxPooling2D':
        return this.add({ ...common(), ...pooling(tensor), kind: 'max-pooling' });
      case 'GlobalAveragePooling2D':
        if (config.keepDims) throw unsupported(layer, 'with kept dimensions');
        return this.add({ ...common(), kind: 'global-average' });
      case 'ZeroPadding2D': {
        const [[top, bottom], [left, right]] = config.padding as [Pair, Pair];
        return this.add({ ...common(), kind: 'padding', pads: [top, left, bottom, right] });
      }
      case 'Flatten':
        return this.add({ ...common(), kind: 'flatten' });
      case 'Dropout':
      case 'SpatialDropout2D':
        return before;
      default:
        throw unsupported(layer);
    }
  }

  private add<T extends Operation>(operation: T): T {
    this.operations.push(operation);
    return operation;
  }

  /** A layer used twice makes two operations. */
  private freeName(name: string): string {
    const taken = new Set(this.operations.map((operation) => operation.name));
    let free = name;
    for (let count = 2; taken.has(free); count++) free = `${name}_${count}`;
    return free;
  }

  /** Applies the activation that Conv2D and Dense carry in themselves. */
  private activated(operation: Convolution | Dense, { sourceLayer }: SymbolicTensor): Operation {
    const { activation } = sourceLayer.getConfig() as unknown as LayerConfig;
    if (activation !== 'linear' && activation !== 'relu') {
      throw unsupported(sourceLayer, `with the activation ${activation}`);
    }
    operation.relu = activation === 'relu';
    return operation;
  }

  private rectified(
    before: Operation | undefined,
    common: Pick<Operation, 'name' | 'input' | 'shape'>,
  ): Operation {
    if (before && 'relu' in before && !this.shared.has(before)) {
      before.relu = true;
      return before;
    }
    return this.add({ ...common, kind: 'relu' });
  }

  private sum(
    { sourceLayer, inputs }: SymbolicTensor,
    common: Pick<Operation, 'name' | 'input' | 'shape'>,
  ): Operation | undefined {
    if (inputs.some(({ shape }) => String(shape) !== String(inputs[0]!.shape))) {
      throw unsupported(sourceLayer, 'with summands of different shapes');
    }
    const names = inputs.map((input) => this.made.get(input)?.name ?? this.input.name);
    let last: Operation | undefined;
    for (const other of names.slice(1)) {
      const name = this.freeName(common.name);
      const input = last?.name ?? names[0]!;
      last = this.add({ ...common, name, input, kind: 'addition', other, relu: false });
    }
    return last;
  }

  /**
   * Folds gamma * (x - mean) / sqrt(variance + epsilon) + beta into the convolution or dense layer
   * that makes x (Jacob et al. 2018, section 3.2).
   */
  private folded(before: Operation | undefined, layer: Layer, config: LayerConfig): Operation {
    const foldable =
      (before?.kind === 'convolution' || before?.kind === 'dense') &&
      !before.relu &&
      !this.shared.has(before);
    if (!foldable) throw unsupported(layer, 'in any place but right behind a convolution');
    const channels = before.bias.length;
    const weights = layer.getWeights().map((weight) => weight.dataSync() as Float32Array);
    const gamma = config.scale ? weights.shift()! : new Float32Array(channels).fill(1);
    const beta = config.center ? weights.shift()! : new Float32Array(channels);
    const [mean, variance] = weights as [Float32Array, Float32Array];

    const factor = gamma.map((value, c) => value / Math.sqrt(variance[c]! + config.epsilon));
    const perChannel = before.weight.length / channels;
    before.weight = before.weight.map((value, i) => value * factor[Math.floor(i / perChannel)]!);
    before.bias = before.bias.map((value, c) => beta[c]! + (value - mean[c]!) * factor[c]!);
    return before;
  }
}

function inputOf({ sourceLayer, shape }: SymbolicTensor): Network['input'] {
  const [, height, width, channels] = shape;
  if (shape.length !== 4 || channels !== 1 || !height || !width) {
    throw unsupported(
      sourceLayer,
      `with the input shape [${shape}]: one grey image of fixed size fits`,
    );
  }
  return { name: sourceLayer.name, height, width };
}

function convolution(tensor: SymbolicTensor): Omit<Convolution, 'name' | 'input' | 'shape'> {
  const { sourceLayer: layer } = tensor;
  const { strides, dilationRate, padding } = layer.getConfig() as unknown as LayerConfig;
  const dilations = pair(dilationRate);
  const [kernel, bias] = layer.getWeights();
  const [rows, columns, inputs, outputs] = kernel!.shape as [number, number, number, number];
  const hwio = kernel!.dataSync() as Float32Array;
  const weight = new Float32Array(hwio.length);
  const positions = rows * columns;
  for (let at = 0; at < positions; at++) {
    for (let i = 0; i < inputs; i++) {
      for (let o = 0; o < outputs; o++) {
        weight[(o * inputs + i) * positions + at] = hwio[(at * inputs + i) * outputs + o]!;
      }
    }
  }
  return {
    kind: 'convolution',
    weightShape: [outputs, inputs, rows, columns],
    weight,
    bias: bias ? Float32Array.from(bias.dataSync()) : new Float32Array(outputs),
    strides: pair(strides),
    dilations,
    pads: padsOf(tensor, padding, [rows, columns], pair(strides), dilations),
    relu: false,
  };
}

/** @param flattened the [height, width, channels] tensor that a Flatten before it unrolled. */
function dense(
  tensor: SymbolicTensor,
  flattened: SymbolicTensor | undefined,
): Omit<Dense, 'name' | 'input' | 'shape'> {
  const layer = tensor.sourceLayer;
  if (tensor.inputs[0]!.shape.length !== 2)
    throw unsupported(layer, 'on an input that is no vector');
  const [kernel, bias] = layer.getWeights();
  const [inputs, outputs] = kernel!.shape as [number, number];
  const values = kernel!.dataSync();
  const sourceOf = flattened ? unrolledFrom(flattened) : (index: number) => index;
  const weight = Float32Array.from(
    { length: inputs * outputs },
    (_, at) => values[sourceOf(at % inputs) * outputs + Math.floor(at / inputs)]!,
  );
  return {
    kind: 'dense',
    weightShape: [outputs, inputs],
    weight,
    bias: bias ? Float32Array.from(bias.dataSync()) : new Float32Array(outputs),
    relu: false,
  };
}

/** Where a value of a map unrolled channels first stood when it was unrolled channels last. */
function unrolledFrom({ shape }: SymbolicTensor): (index: number) => number {
  const [, height, width, channels] = shape as number[];
  const area = height! * width!;
  return (index) => (index % area) * channels! + Math.floor(index / area);
}

function pooling(tensor: SymbolicTensor): Pick<Pooling, 'size' | 'strides' | 'pads'> {
  const { poolSize, strides, padding } = tensor.sourceLayer.getConfig() as unknown as LayerConfig;
  return {
    size: pair(poolSize),
    strides: pair(strides),
    pads: padsOf(tensor, padding, pair(poolSize), pair(strides), [1, 1]),
  };
}

/**
 * TF's SAME padding: just enough for ceil(size / stride) outputs, the odd pixel at the bottom and
 * right. ONNX's SAME_UPPER means the same, but quantized kernels know explicit pads only.
 */
function padsOf(
  tensor: SymbolicTensor,
  padding: LayerConfig['padding'],
  kernel: Pair,
  strides: Pair,
  dilations: Pair,
): Pads {
  if (padding === 'valid') return [0, 0, 0, 0];
  if (padding !== 'same') throw unsupported(tensor.sourceLayer, `with the padding ${padding}`);
  const [, ...size] = tensor.inputs[0]!.shape as [null, number, number];
  const along = (axis: 0 | 1): Pair => {
    const reach = (kernel[axis] - 1) * dilations[axis] + 1;
    const outputs = Math.ceil(size[axis] / strides[axis]);
    const total = Math.max(0, (outputs - 1) * strides[axis] + reach - size[axis]);
    return [Math.floor(total / 2), Math.ceil(total / 2)];
  };
  const [top, bottom] = along(0);
  const [left, right] = along(1);
  return [top, left, bottom, right];
}

const pair = (value: number | Pair): Pair => (typeof value === 'number' ? [value, value] : value);

function channelsFirst(shape: number[]): number[] {
  const [height, width, channels] = shape;
  return shape.length === 3 ? [channels!, height!, width!] : shape;
}

function unsupported(layer: Layer, what?: string): ExportError {
  return new ExportError(
    `The exporter does not support the layer "${layer.name}" (${layer.getClassName()})` +
      `${what ? ` ${what}` : ''}. Nothing was written. Change the network, or teach ` +
      'export/layers.ts this layer.',
  );
}
