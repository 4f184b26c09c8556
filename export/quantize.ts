import { FLOAT32, type Precision } from './graph.ts';
import type { Convolution, Dense, Network, Operation } from './network.ts';
import type { Constant, GraphBuilder } from './onnx.ts';

/**
 * Static int8 quantization in QDQ form: a QuantizeLinear and a DequantizeLinear behind each result
 * and a DequantizeLinear behind each weight, which onnxruntime fuses into integer kernels. The
 * numbers are those of onnxruntime's own quantizer (python/tools/quantization/quant_utils.py):
 * activations uint8 asymmetric, weights int8 per output channel symmetric, bias int32.
 */

/** The smallest and largest value that a tensor is expected to hold. */
export interface Range {
  low: number;
  high: number;
}

/** real = scale * (quantized - zeroPoint) */
export interface AffineScale {
  scale: number;
  zeroPoint: number;
}

/** Scale of a uint8 activation over `range`, widened to hold 0 so that padding stays exact. */
export function activationScale({ low, high }: Range): AffineScale {
  const from = Math.min(low, 0);
  const to = Math.max(high, 0);
  const scale = Math.fround((to - from) / 255);
  // A tensor that is always 0 still needs a scale to divide by.
  if (scale === 0) return { scale: 1, zeroPoint: 0 };
  return { scale, zeroPoint: roundHalfToEven((0 - from) / scale) };
}

export interface QuantizedWeights {
  /** Within [-127, 127]: -128 has no opposite. */
  weight: Int8Array;
  /** One for each output channel. */
  scales: Float32Array;
}

/**
 * Quantizes a layer's weights per output channel.
 * @param inputScale scale of the layer's input, if that is quantized too. A channel's scale is then
 *   kept large enough for its bias to fit in int32: one that batch normalisation has all but
 *   switched off has tiny weights and an ordinary bias.
 */
export function quantizeWeights(
  { weight, bias }: Pick<Convolution, 'weight' | 'bias'>,
  inputScale?: number,
): QuantizedWeights {
  const channels = bias.length;
  const perChannel = weight.length / channels;
  const quantized = new Int8Array(weight.length);
  const scales = new Float32Array(channels);
  for (let c = 0; c < channels; c++) {
    const values = weight.subarray(c * perChannel, (c + 1) * perChannel);
    const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const least = inputScale ? Math.abs(bias[c]!) / (inputScale * LARGEST_BIAS) : 0;
    const scale = Math.fround(Math.max(largest / 127, least)) || 1;
    scales[c] = scale;
    for (let i = 0; i < perChannel; i++) {
      const rounded = roundHalfToEven(values[i]! / scale);
      quantized[c * perChannel + i] = Math.max(-127, Math.min(127, rounded));
    }
  }
  return { weight: quantized, scales };
}

/** Half of int32, which leaves the other half to the sum of products that the bias is added to. */
const LARGEST_BIAS = 2 ** 30;

/** As IEEE 754 and numpy round; `Math.round` takes halves up. */
export function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

/**
 * Layers whose weights stay in float. The first convolution is 0.3 % of the work, but rounding its
 * few weights and the image before it made half of the whole error in the logit; the dense head is
 * smaller still, and in float the logit keeps its resolution.
 */
export function keepsFloat(layer: Convolution | Dense): boolean {
  return layer.kind === 'dense' || layer.weightShape[1] === 1;
}

/** Results that are rounded to uint8: all maps from the first convolution to the last. */
function isQuantized({ kind }: Operation): boolean {
  return !FLOAT_RESULTS.includes(kind);
}

const FLOAT_RESULTS: readonly Operation['kind'][] = [
  'standardization',
  'global-average',
  'flatten',
  'dense',
];

/** Operations whose result has the values of their input, and so its scale. */
const KEEPS_SCALE: readonly Operation['kind'][] = ['average-pooling', 'max-pooling', 'padding'];

/** The results whose ranges `int8` wants to know. */
export function quantizedOperations({ operations }: Network): Operation[] {
  return operations.filter(
    (operation) => isQuantized(operation) && !KEEPS_SCALE.includes(operation.kind),
  );
}

/**
 * Static int8.
 * @param ranges by operation, for all `quantizedOperations`.
 */
export function int8(network: Network, ranges: ReadonlyMap<string, Range>): Precision {
  const scales = new Map<string, AffineScale>();
  const constants = new Map<string, { scale: string; zeroPoint: string }>();
  for (const operation of network.operations.filter(isQuantized)) {
    const range = ranges.get(operation.name);
    const inherited = KEEPS_SCALE.includes(operation.kind) && scales.get(operation.input);
    if (inherited) scales.set(operation.name, inherited);
    else if (range) scales.set(operation.name, activationScale(range));
  }

  return {
    parameters(graph, layer) {
      const input = scales.get(layer.input);
      if (keepsFloat(layer) || !input) return FLOAT32.parameters(graph, layer);
      const { weight, scales: weightScales } = quantizeWeights(layer, input.scale);
      const biasScales = weightScales.map((scale) => scale * input.scale);
      return {
        weight: dequantized(graph, `${layer.name}/weight`, weightScales, {
          type: 'int8',
          shape: layer.weightShape,
          data: weight,
        }),
        // Without a zero-point: one of int32 trips onnxruntime's WebGPU provider.
        bias: dequantized(graph, `${layer.name}/bias`, biasScales, {
          type: 'int32',
          shape: [layer.bias.length],
          data: Int32Array.from(layer.bias, (value, c) => roundHalfToEven(value / biasScales[c]!)),
        }),
      };
    },
    result(graph, operation, tensor) {
      const affine = scales.get(operation.name);
      if (!affine) return tensor;
      // Pooling shares its input's very constants, by which onnxruntime knows it may stay integer.
      const owner = constants.get(operation.input);
      const names =
        owner && scales.get(operation.input) === affine
          ? owner
          : {
              scale: graph.scalar(`${tensor}/scale`, affine.scale),
              zeroPoint: graph.constant(`${tensor}/zero_point`, {
                type: 'uint8',
                shape: [],
                data: Uint8Array.of(affine.zeroPoint),
              }),
            };
      constants.set(operation.name, names);
      const inputs = [names.scale, names.zeroPoint];
      const quantized = graph.node('QuantizeLinear', [tensor, ...inputs], `${tensor}/quantized`);
      return graph.node('DequantizeLinear', [quantized, ...inputs], `${tensor}/dequantized`);
    },
  };
}

/**
 * Adds an integer constant and the node that turns it into floats.
 * @param scales one for each slice along the first axis.
 * @returns the float tensor.
 */
export function dequantized(
  graph: GraphBuilder,
  name: string,
  scales: Float32Array,
  constant: Extract<Constant, { type: 'int8' | 'int32' }>,
): string {
  graph.constant(`${name}_${constant.type}`, constant);
  graph.constant(`${name}_scales`, { type: 'float32', shape: [scales.length], data: scales });
  const inputs = [`${name}_${constant.type}`, `${name}_scales`];
  return graph.node('DequantizeLinear', inputs, name, { axis: { int: 0 } });
}
