import { CONTRACT, PREPROCESSING } from '../reader/contract.ts';
import { ExportError } from './layers.ts';
import type { Convolution, Dense, Network, Operation, Pads } from './network.ts';
import { type Attribute, GraphBuilder } from './onnx.ts';
import { addPreprocessing, OPSET } from './preprocessing.ts';

/** In which numbers a model stores its weights and hands on its results. */
export interface Precision {
  /** Adds the constants of a layer with weights; returns the float tensors to compute with. */
  parameters(graph: GraphBuilder, layer: Convolution | Dense): { weight: string; bias: string };
  /** Called with each result; may round it. Returns the tensor that the next layer reads. */
  result(graph: GraphBuilder, operation: Operation, tensor: string): string;
}

/** Everything in float32. */
export const FLOAT32: Precision = {
  parameters: (graph, { name, weight, weightShape, bias }) => ({
    weight: graph.constant(`${name}/weight`, { type: 'float32', shape: weightShape, data: weight }),
    bias: graph.constant(`${name}/bias`, { type: 'float32', shape: [bias.length], data: bias }),
  }),
  result: (_graph, _operation, tensor) => tensor,
};

/**
 * The whole model of the contract: `film` uint8 [height, width] -> `logit` and `probability`,
 * float32 [1].
 * @param observe operations whose results become outputs too, named as the operations.
 * @throws ExportError when the network takes images of another size than the contract's.
 */
export function modelOf(
  network: Network,
  precision: Precision = FLOAT32,
  observe: readonly Operation[] = [],
): Uint8Array {
  const { height, width } = network.input;
  const side = PREPROCESSING.inputSize;
  if (height !== side || width !== side) {
    throw new ExportError(
      `The network reads images of ${width} x ${height} pixels; the model's contract gives it ` +
        `${side} x ${side}. Nothing was written. Train it at that size.`,
    );
  }
  const graph = new GraphBuilder();
  const tensors = addNetwork(graph, network, addPreprocessing(graph), precision);
  graph.integers('one', [1]);
  graph.node('Reshape', [tensors.get(network.logit)!, 'one'], CONTRACT.logit);
  graph.node('Sigmoid', [CONTRACT.logit], CONTRACT.probability);
  graph.output(CONTRACT.logit, 'float32', [1]);
  graph.output(CONTRACT.probability, 'float32', [1]);
  for (const { name, shape } of observe) {
    graph.output(tensors.get(name)!, 'float32', [1, ...shape]);
  }
  return graph.toModel({ name: 'bellows', opset: OPSET });
}

/** The name under which `modelOf` gives out an observed operation's result. */
export const observedName = ({ name }: Operation): string => `net/${name}`;

/**
 * Adds a network's operations to a graph.
 * @param input tensor of grey levels, float32 [1, 1, height, width].
 * @returns the tensor of each operation's result: float32 [1, ...shape].
 */
export function addNetwork(
  graph: GraphBuilder,
  network: Network,
  input: string,
  precision: Precision = FLOAT32,
): Map<string, string> {
  const tensors = new Map([[network.input.name, input]]);
  for (const operation of network.operations) {
    const from = tensors.get(operation.input)!;
    const tensor = addOperation(graph, operation, from, tensors, precision);
    tensors.set(operation.name, precision.result(graph, operation, tensor));
  }
  return tensors;
}

function addOperation(
  graph: GraphBuilder,
  operation: Operation,
  from: string,
  tensors: Map<string, string>,
  precision: Precision,
): string {
  const name = observedName(operation);
  const rectify = operation.kind !== 'relu' && 'relu' in operation && operation.relu;
  const add = (
    opType: string,
    inputs: string[],
    attributes: Record<string, Attribute> = {},
  ): string => {
    if (!rectify) return graph.node(opType, inputs, name, attributes);
    const linear = graph.node(opType, inputs, `${name}/linear`, attributes);
    return graph.node('Relu', [linear], name);
  };

  switch (operation.kind) {
    case 'standardization':
      return addStandardization(graph, from, name, operation.epsilon);
    case 'convolution': {
      const { weight, bias } = precision.parameters(graph, operation);
      const { weightShape, strides, dilations, pads } = operation;
      return add('Conv', [from, weight, bias], {
        kernel_shape: { ints: weightShape.slice(2) },
        strides: { ints: strides },
        dilations: { ints: dilations },
        pads: { ints: pads },
      });
    }
    case 'dense': {
      const { weight, bias } = precision.parameters(graph, operation);
      return add('Gemm', [from, weight, bias], { transB: { int: 1 } });
    }
    case 'addition':
      return add('Add', [from, tensors.get(operation.other)!]);
    case 'average-pooling':
    case 'max-pooling': {
      const { kind, size, strides, pads } = operation;
      return add(kind === 'max-pooling' ? 'MaxPool' : 'AveragePool', [from], {
        kernel_shape: { ints: size },
        strides: { ints: strides },
        pads: { ints: pads },
      });
    }
    case 'padding':
      return add('Pad', [from, graph.integers(`${name}/pads`, onnxPads(operation.pads))]);
    case 'relu':
      return add('Relu', [from]);
    case 'flatten':
      return add('Flatten', [from]);
    case 'global-average': {
      const axes = graph.integers(`${name}/axes`, [2, 3]);
      return add('ReduceMean', [from, axes], { keepdims: { int: 0 } });
    }
  }
}

/** (x - mean) / (standard deviation + epsilon) over one image, in two passes for accuracy. */
function addStandardization(
  graph: GraphBuilder,
  from: string,
  name: string,
  epsilon: number,
): string {
  const part = (suffix: string) => `${name}/${suffix}`;
  const axes = graph.integers(part('axes'), [1, 2, 3]);
  const mean = graph.node('ReduceMean', [from, axes], part('mean'));
  const centred = graph.node('Sub', [from, mean], part('centred'));
  const squares = graph.node('Mul', [centred, centred], part('squares'));
  const variance = graph.node('ReduceMean', [squares, axes], part('variance'));
  const deviation = graph.node('Sqrt', [variance], part('deviation'));
  const divisor = graph.node(
    'Add',
    [deviation, graph.scalar(part('epsilon'), epsilon)],
    part('divisor'),
  );
  return graph.node('Div', [centred, divisor], name);
}

/** Pads of all four axes, beginnings first. */
function onnxPads([top, left, bottom, right]: Pads): number[] {
  return [0, 0, top, left, 0, 0, bottom, right];
}
