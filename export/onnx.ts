import { littleEndian, ProtobufWriter } from './protobuf.ts';

/**
 * Writes ONNX models: a graph is built node by node, then encoded as a `ModelProto`. The field
 * numbers are those of onnx.proto3 (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3).
 */

/** `TensorProto.DataType` with the typed array that holds each. */
const DATA_TYPES = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7, float16: 10 } as const;

export type DataType = keyof typeof DATA_TYPES;

interface DataArrays {
  float32: Float32Array;
  uint8: Uint8Array;
  int8: Int8Array;
  int32: Int32Array;
  int64: BigInt64Array;
  /** The bit patterns of IEEE 754 half-precision numbers. */
  float16: Uint16Array;
}

/** A constant: row-major data with its shape; `[]` is a scalar. */
export type Constant = {
  [T in DataType]: { type: T; shape: readonly number[]; data: DataArrays[T] };
}[DataType];

/** A value of a node's attribute, named by its kind: in JavaScript 1 and 1.0 are the same. */
export type Attribute =
  { float: number } | { int: number } | { string: string } | { ints: readonly number[] };

interface Node {
  opType: string;
  inputs: readonly string[];
  outputs: readonly string[];
  attributes: Readonly<Record<string, Attribute>>;
}

/** A tensor that enters or leaves the graph; a string is a dimension known only at run time. */
export interface ValueInfo {
  name: string;
  type: DataType;
  shape: readonly (number | string)[];
}

export interface ModelOptions {
  /** Name of the graph. */
  name: string;
  /** Version of the default operator set. */
  opset: number;
}

/**
 * A graph under construction. Nodes are written in the order they are added, which has to be an
 * order in which they can run.
 */
export class GraphBuilder {
  private readonly nodes: Node[] = [];
  private readonly constants = new Map<string, Constant>();
  private readonly inputs: ValueInfo[] = [];
  private readonly outputs: ValueInfo[] = [];
  private readonly known = new Set<string>();

  input(name: string, type: DataType, shape: ValueInfo['shape']): string {
    this.define(name);
    this.inputs.push({ name, type, shape });
    return name;
  }

  /** Names a tensor that the graph already makes as one of its results. */
  output(name: string, type: DataType, shape: ValueInfo['shape']): void {
    this.require(name, 'the output list');
    this.outputs.push({ name, type, shape });
  }

  /**
   * Adds a constant tensor.
   * @throws GraphError when the data does not fill the shape.
   */
  constant(name: string, constant: Constant): string {
    this.define(name);
    const size = constant.shape.reduce((product, side) => product * side, 1);
    if (size !== constant.data.length) {
      throw new GraphError(
        `${name} has ${constant.data.length} values for the shape [${constant.shape.join(', ')}].`,
      );
    }
    this.constants.set(name, constant);
    return name;
  }

  /** A float32 scalar. */
  scalar(name: string, value: number): string {
    return this.constant(name, { type: 'float32', shape: [], data: Float32Array.of(value) });
  }

  /** A list of int64, as axes, sizes and pads come. */
  integers(name: string, values: readonly number[]): string {
    const data = BigInt64Array.from(values, BigInt);
    return this.constant(name, { type: 'int64', shape: [values.length], data });
  }

  /**
   * Adds a node.
   * @param inputs names of tensors made before; an empty string leaves an optional input out.
   * @param output name of its result.
   * @returns `output`.
   * @throws GraphError when an input is not made yet or `output` is already there.
   */
  node(
    opType: string,
    inputs: readonly string[],
    output: string,
    attributes: Readonly<Record<string, Attribute>> = {},
  ): string {
    for (const name of inputs) if (name !== '') this.require(name, `the ${opType} of ${output}`);
    this.define(output);
    this.nodes.push({ opType, inputs, outputs: [output], attributes });
    return output;
  }

  /** Encodes the graph as an ONNX file. */
  toModel({ name, opset }: ModelOptions): Uint8Array {
    const graph = new ProtobufWriter();
    for (const node of this.nodes) graph.message(1, encodeNode(node));
    graph.string(2, name);
    for (const [id, constant] of this.constants) graph.message(5, encodeTensor(id, constant));
    for (const value of this.inputs) graph.message(11, encodeValueInfo(value));
    for (const value of this.outputs) graph.message(12, encodeValueInfo(value));

    return new ProtobufWriter()
      .integer(1, irVersionOf(opset))
      .string(2, 'bellows')
      .message(7, graph)
      .message(8, new ProtobufWriter().string(1, '').integer(2, opset))
      .finish();
  }

  private define(name: string): void {
    if (this.known.has(name)) throw new GraphError(`The graph has two tensors named ${name}.`);
    this.known.add(name);
  }

  private require(name: string, user: string): void {
    if (!this.known.has(name)) {
      throw new GraphError(`${user} needs the tensor ${name}, which nothing makes before it.`);
    }
  }
}

/** A graph that can not be: a mistake in the code that builds it, not in anyone's data. */
export class GraphError extends Error {
  override name = 'GraphError';
}

/**
 * The lowest IR version that may import an operator set, by ONNX's own table
 * (https://github.com/onnx/onnx/blob/main/docs/Versioning.md); runtimes refuse a newer IR than
 * they know, so the lowest is the most portable.
 */
function irVersionOf(opset: number): number {
  if (opset >= 21) return 10;
  return opset >= 19 ? 9 : 8;
}

function encodeNode({ opType, inputs, outputs, attributes }: Node): ProtobufWriter {
  const node = new ProtobufWriter();
  for (const name of inputs) node.string(1, name);
  for (const name of outputs) node.string(2, name);
  node.string(3, `${outputs[0]}/${opType}`).string(4, opType);
  for (const [name, value] of Object.entries(attributes)) {
    node.message(5, encodeAttribute(name, value));
  }
  return node;
}

/** Field 20 is `AttributeProto.AttributeType`. */
function encodeAttribute(name: string, value: Attribute): ProtobufWriter {
  const attribute = new ProtobufWriter().string(1, name);
  if ('float' in value) return attribute.float(2, value.float).integer(20, 1);
  if ('int' in value) return attribute.integer(3, value.int).integer(20, 2);
  if ('string' in value) return attribute.string(4, value.string).integer(20, 3);
  return attribute.packedIntegers(8, value.ints).integer(20, 7);
}

function encodeTensor(name: string, { type, shape, data }: Constant): ProtobufWriter {
  return new ProtobufWriter()
    .packedIntegers(1, shape)
    .integer(2, DATA_TYPES[type])
    .string(8, name)
    .bytes(9, littleEndian(data));
}

function encodeValueInfo({ name, type, shape }: ValueInfo): ProtobufWriter {
  const dimensions = new ProtobufWriter();
  for (const side of shape) {
    const dimension = new ProtobufWriter();
    if (typeof side === 'number') dimension.integer(1, side);
    else dimension.string(2, side);
    dimensions.message(1, dimension);
  }
  const tensor = new ProtobufWriter().integer(1, DATA_TYPES[type]).message(2, dimensions);
  return new ProtobufWriter().string(1, name).message(2, new ProtobufWriter().message(1, tensor));
}
