import { describe, expect, it } from 'vitest';
import { GraphBuilder, GraphError } from '../../export/onnx.ts';
import { ProtobufWriter } from '../../export/protobuf.ts';
import { ort } from '../../export/runtime.ts';
import { runOnnx } from './helpers.ts';

describe('ProtobufWriter', () => {
  const bytes = (write: (writer: ProtobufWriter) => unknown) => {
    const writer = new ProtobufWriter();
    write(writer);
    return [...writer.finish()];
  };

  // The examples of https://protobuf.dev/programming-guides/encoding/
  it('writes the examples of the format description', () => {
    expect(bytes((w) => w.integer(1, 150))).toEqual([0x08, 0x96, 0x01]);
    expect(bytes((w) => w.string(2, 'testing'))).toEqual([
      ...[0x12, 0x07],
      ...[0x74, 0x65, 0x73, 0x74, 0x69, 0x6e, 0x67],
    ]);
    expect(bytes((w) => w.message(3, new ProtobufWriter().integer(1, 150)))).toEqual([
      ...[0x1a, 0x03, 0x08, 0x96, 0x01],
    ]);
    expect(bytes((w) => w.packedIntegers(6, [3, 270, 86942]))).toEqual([
      ...[0x32, 0x06, 0x03, 0x8e, 0x02, 0x9e, 0xa7, 0x05],
    ]);
  });

  it('writes -2 as the ten bytes of its two’s complement', () => {
    const minusTwo = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    expect(bytes((w) => w.integer(1, -2))).toEqual([0x08, ...minusTwo]);
  });

  it('writes floats in little-endian order', () => {
    expect(bytes((w) => w.float(2, 1.5))).toEqual([0x15, 0, 0, 0xc0, 0x3f]);
  });
});

describe('GraphBuilder', () => {
  it('makes a model that the runtime runs, with every kind of attribute and negative integers', async () => {
    const graph = new GraphBuilder();
    graph.input('x', 'float32', ['rows', 4]);
    graph.integers('from', [-3]);
    graph.integers('to', [4]);
    graph.integers('axes', [-1]);
    graph.node('Slice', ['x', 'from', 'to', 'axes'], 'tail');
    graph.node('LeakyRelu', ['tail'], 'bent', { alpha: { float: 0.25 } });
    graph.node('Transpose', ['bent'], 'turned', { perm: { ints: [1, 0] } });
    graph.output('turned', 'float32', [3, 'rows']);
    const model = graph.toModel({ name: 'test', opset: 18 });
    const x = new ort.Tensor('float32', Float32Array.of(1, 2, -3, 4, 5, -6, 7, -8), [2, 4]);
    const { turned } = await runOnnx(model, { x });
    expect([...turned!]).toEqual([2, -1.5, -0.75, 7, 4, -2]);
  });

  it.each<[string, RegExp, (graph: GraphBuilder) => unknown]>([
    [
      'a tensor that nothing makes',
      /Relu of y needs the tensor x/,
      (g) => g.node('Relu', ['x'], 'y'),
    ],
    ['an output that nothing makes', /the output list needs/, (g) => g.output('y', 'float32', [1])],
    ['two tensors of one name', /two tensors named a/, (g) => g.scalar(g.scalar('a', 1), 2)],
    [
      'data that do not fill their shape',
      /a has 3 values for the shape \[2, 2\]/,
      (g) => g.constant('a', { type: 'int8', shape: [2, 2], data: new Int8Array(3) }),
    ],
  ])('refuses %s', (_what, message, build) => {
    expect(() => build(new GraphBuilder())).toThrow(GraphError);
    expect(() => build(new GraphBuilder())).toThrow(message);
  });
});
