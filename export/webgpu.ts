import { FLOAT32, type Precision } from './graph.ts';
import { dequantized, keepsFloat, quantizeWeights } from './quantize.ts';

/**
 * The file for WebGPU, which has no integer convolution: weights int8 as in the file for WASM,
 * biases and all arithmetic float32.
 */
export const INT8_WEIGHTS: Precision = {
  parameters(graph, layer) {
    if (keepsFloat(layer)) return FLOAT32.parameters(graph, layer);
    const { name, bias, weightShape: shape } = layer;
    const { weight: data, scales } = quantizeWeights(layer);
    return {
      weight: dequantized(graph, `${name}/weight`, scales, { type: 'int8', shape, data }),
      bias: graph.constant(`${name}/bias`, { type: 'float32', shape: [bias.length], data: bias }),
    };
  },
  result: FLOAT32.result,
};
