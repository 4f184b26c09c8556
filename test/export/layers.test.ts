import type { LayersModel, SymbolicTensor } from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { addNetwork } from '../../export/graph.ts';
import { translate } from '../../export/layers.ts';
import type { Network } from '../../export/network.ts';
import { GraphBuilder } from '../../export/onnx.ts';
import { createRandom } from '../../reader/random.ts';
import type { TF } from '../../training/tensorflow.ts';
import { registerLayers } from '../../training/network.ts';
import {
  largestDifference,
  openTf,
  ort,
  randomImage,
  randomizeWeights,
  runOnnx,
  valuesOf,
  withLogit,
} from './helpers.ts';

let tf: TF;
beforeAll(async () => {
  tf = await openTf();
});

const UNCALIBRATED = { slope: 1, offset: 0 };
type Step = (x: SymbolicTensor) => SymbolicTensor;

/** Runs a translated network on a batch of one; returns the results of the named operations. */
async function runNetwork(network: Network, image: Float32Array, names: string[]) {
  const { height, width } = network.input;
  const graph = new GraphBuilder();
  graph.input('grey', 'float32', [1, 1, height, width]);
  const tensors = addNetwork(graph, network, 'grey');
  const shapeOf = (name: string) => network.operations.find((op) => op.name === name)!.shape;
  for (const name of names) {
    graph.output(tensors.get(name)!, 'float32', [1, ...shapeOf(name)]);
  }
  const model = graph.toModel({ name: 'test', opset: 18 });
  const outputs = await runOnnx(model, {
    grey: new ort.Tensor('float32', image, [1, 1, height, width]),
  });
  return names.map((name) => outputs[tensors.get(name)!]!);
}

/** Compares TF.js and ONNX on `steps` of layers: the map they make, and a logit made of it. */
async function compare(
  [height, width]: [number, number],
  steps: Step[],
): Promise<{ map: number; logit: number; network: Network }> {
  const input = tf.input({ shape: [height, width, 1] });
  let map = input;
  for (const step of steps) map = step(map);
  const model = withLogit(tf, input, map);
  randomizeWeights(tf, model, height * 1000 + width);
  const network = translate(model, UNCALIBRATED);

  const image = Float32Array.from(randomImage(createRandom(5), height, width), (v) => v / 64 - 2);
  const x = tf.tensor4d(image, [1, height, width, 1]);
  const upToMap = tf.model({ inputs: input, outputs: map });
  const expected = tf.tidy(() => {
    const features = upToMap.predict(x) as ReturnType<TF['tensor']>;
    return valuesOf(map.shape.length === 4 ? tf.transpose(features, [0, 3, 1, 2]) : features);
  });
  const operation = (name: string) => network.operations.find((op) => op.name === name)!;
  let { input: last } = operation(network.logit);
  if (operation(last).kind === 'flatten') last = operation(last).input;
  const [found, logit] = await runNetwork(network, image, [last, network.logit]);
  return {
    map: largestDifference(found!, expected),
    logit: largestDifference(logit!, valuesOf(model.predict(x) as never)),
    network,
  };
}

describe('translate', () => {
  const conv = (config: object): Step => {
    return (x) => tf.layers.conv2d({ filters: 6, kernelSize: 3, ...config }).apply(x) as never;
  };
  const cases: Record<string, () => Step[]> = {
    'Conv2D valid': () => [conv({})],
    'Conv2D valid, stride 2': () => [conv({ strides: 2 })],
    'Conv2D same': () => [conv({ padding: 'same' })],
    'Conv2D same, stride 2': () => [conv({ padding: 'same', strides: 2 })],
    'Conv2D same, stride 3, kernel 5 x 2': () => [
      conv({ padding: 'same', strides: 3, kernelSize: [5, 2] }),
    ],
    'Conv2D same, dilated': () => [conv({ padding: 'same', dilationRate: 2 })],
    'Conv2D with ReLU inside': () => [conv({ activation: 'relu' })],
    'Conv2D, BatchNormalization, ReLU': () => [
      conv({ padding: 'same', strides: 2, useBias: false }),
      (x) => tf.layers.batchNormalization({ epsilon: 0.01 }).apply(x) as never,
      (x) => tf.layers.reLU().apply(x) as never,
    ],
    'BatchNormalization without scale and centre': () => [
      conv({}),
      (x) => tf.layers.batchNormalization({ scale: false, center: false }).apply(x) as never,
    ],
    'Activation relu': () => [
      conv({}),
      (x) => tf.layers.activation({ activation: 'relu' }).apply(x) as never,
    ],
    'ReLU of its own': () => [
      (x) => tf.layers.maxPooling2d({ poolSize: 2 }).apply(x) as never,
      (x) => tf.layers.reLU().apply(x) as never,
    ],
    'AveragePooling2D same': () => [
      (x) =>
        tf.layers.averagePooling2d({ poolSize: 3, strides: 2, padding: 'same' }).apply(x) as never,
    ],
    'AveragePooling2D valid': () => [
      (x) => tf.layers.averagePooling2d({ poolSize: 2 }).apply(x) as never,
    ],
    'MaxPooling2D same': () => [
      (x) => tf.layers.maxPooling2d({ poolSize: 3, strides: 2, padding: 'same' }).apply(x) as never,
    ],
    'ZeroPadding2D before a strided convolution': () => [
      (x) =>
        tf.layers
          .zeroPadding2d({
            padding: [
              [1, 0],
              [2, 3],
            ],
          })
          .apply(x) as never,
      conv({ strides: 2 }),
    ],
    'GlobalAveragePooling2D, Dropout, Dense': () => [
      conv({}),
      (x) => tf.layers.globalAveragePooling2d({}).apply(x) as never,
      (x) => tf.layers.dropout({ rate: 0.5 }).apply(x) as never,
      (x) => tf.layers.dense({ units: 5, activation: 'relu' }).apply(x) as never,
    ],
    ImageStandardization: () => [
      (x) => new (registerLayers(tf))({ epsilon: 0.3 }).apply(x) as never,
    ],
    'residual block with a pooled shortcut': () => [
      conv({ padding: 'same', activation: 'relu' }),
      (x) => {
        let y = conv({ padding: 'same', strides: 2, useBias: false })(x);
        y = tf.layers.batchNormalization().apply(y) as SymbolicTensor;
        let shortcut = tf.layers
          .averagePooling2d({ poolSize: 2, strides: 2, padding: 'same' })
          .apply(x) as SymbolicTensor;
        shortcut = conv({ kernelSize: 1 })(shortcut);
        const sum = tf.layers.add().apply([y, shortcut]) as SymbolicTensor;
        return tf.layers.reLU().apply(sum) as SymbolicTensor;
      },
    ],
    'Add of three, one of them also read elsewhere': () => [
      conv({ padding: 'same' }),
      (x) => {
        const dropped = tf.layers.dropout({ rate: 0.1 }).apply(x) as SymbolicTensor;
        const rectified = tf.layers.reLU().apply(dropped) as SymbolicTensor;
        return tf.layers.add().apply([x, rectified, x]) as SymbolicTensor;
      },
    ],
    'one layer used twice': () => [
      (x) => {
        const shared = tf.layers.conv2d({ filters: 1, kernelSize: 3, padding: 'same' });
        return shared.apply(shared.apply(x)) as SymbolicTensor;
      },
    ],
  };
  // TF's SAME padding depends on the parity of the size: all four cases of rows and columns.
  const sizes: [number, number][] = [
    [16, 16],
    [15, 16],
    [16, 17],
    [15, 13],
  ];
  for (const [name, steps] of Object.entries(cases)) {
    it.each(sizes)(`agrees with TF.js: ${name}, %i x %i`, async (...size) => {
      const { map, logit } = await compare(size, steps());
      expect(map).toBeLessThan(1e-4);
      expect(logit).toBeLessThan(1e-4);
    });
  }

  it('pads a stride of 2 at the bottom and right only, when the size is even', async () => {
    const { network } = await compare([16, 15], [conv({ padding: 'same', strides: 2 })]);
    expect(network.operations[0]).toMatchObject({ pads: [0, 1, 1, 1] });
  });

  it('leaves no batch normalisation, dropout or separate ReLU behind', async () => {
    const { network } = await compare([16, 16], cases['Conv2D, BatchNormalization, ReLU']!());
    expect(network.operations.map((op) => op.kind)).toEqual(['convolution', 'flatten', 'dense']);
  });

  const twoHeads = (): LayersModel => {
    const input = tf.input({ shape: [8, 8, 1] });
    const map = conv({ name: 'only_conv' })(input);
    const features = tf.layers.globalAveragePooling2d({}).apply(map) as SymbolicTensor;
    const head = (name: string) =>
      tf.layers.dense({ units: 1, name }).apply(features) as SymbolicTensor;
    const model = tf.model({ inputs: input, outputs: [head('auxiliary'), head('logit')] });
    randomizeWeights(tf, model, 1);
    return model;
  };

  it('keeps the output named logit and drops the others', () => {
    const names = translate(twoHeads(), UNCALIBRATED).operations.map(({ name }) => name);
    expect(names).toContain('logit');
    expect(names).not.toContain('auxiliary');
  });

  it('folds the calibration into the logit', async () => {
    const model = twoHeads();
    const image = Float32Array.from({ length: 64 }, (_, i) => Math.sin(i));
    const [raw] = await runNetwork(translate(model, UNCALIBRATED), image, ['logit']);
    const calibrated = translate(model, { slope: 0.4, offset: -1.5 });
    const [logit] = await runNetwork(calibrated, image, ['logit']);
    expect(logit![0]).toBeCloseTo(0.4 * raw![0]! - 1.5, 5);
  });

  it.each<[string, RegExp, () => Step]>([
    [
      'an unknown layer',
      /"sharpened" \(DepthwiseConv2D\)/,
      () => (x) =>
        tf.layers.depthwiseConv2d({ kernelSize: 3, name: 'sharpened' }).apply(x) as never,
    ],
    [
      'an unknown activation',
      /"bent" \(Conv2D\) with the activation elu/,
      () => conv({ activation: 'elu', name: 'bent' }),
    ],
    [
      'a clipped ReLU',
      /"clipped" \(ReLU\) with a maximum/,
      () => (x) => tf.layers.reLU({ maxValue: 6, name: 'clipped' }).apply(x) as never,
    ],
    [
      'channels first',
      /"turned" \(MaxPooling2D\) with channels first/,
      () => (x) =>
        tf.layers
          .maxPooling2d({ poolSize: 1, dataFormat: 'channelsFirst', name: 'turned' })
          .apply(x) as never,
    ],
    [
      'normalisation behind no convolution',
      /"early" \(BatchNormalization\) in any place but/,
      () => (x) => tf.layers.batchNormalization({ name: 'early' }).apply(x) as never,
    ],
    [
      'normalisation of a result that is read twice',
      /"late" \(BatchNormalization\)/,
      () => (x) => {
        const y = conv({ padding: 'same' })(x);
        return tf.layers
          .add()
          .apply([
            y,
            tf.layers.batchNormalization({ name: 'late' }).apply(y) as SymbolicTensor,
          ]) as never;
      },
    ],
  ])('refuses %s by name', async (_what, message, step) => {
    await expect(compare([8, 8], [step()])).rejects.toThrow(message);
  });

  it('refuses a network without a logit, naming what there is', () => {
    const input = tf.input({ shape: [8, 8, 1] });
    const flat = tf.layers.flatten().apply(input);
    const output = tf.layers.dense({ units: 1, name: 'score' }).apply(flat) as SymbolicTensor;
    const model = tf.model({ inputs: input, outputs: output });
    expect(() => translate(model, UNCALIBRATED)).toThrow(
      /no output layer named "logit", only score/,
    );
  });
});
