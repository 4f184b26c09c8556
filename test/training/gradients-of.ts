/**
 * Run as a program by gradients.test.ts: prints loss and gradients of a small network with every
 * operation of the real one, on the engine named by its argument. One engine a process.
 */
import type { Scalar, Tensor, Variable } from '@tensorflow/tfjs';
import { createRandom } from '../../reader/random.ts';
import { type BackendName, openBackend } from '../../training/backend.ts';
import { buildNetwork } from '../../training/network.ts';

const engine = process.argv[2] as BackendName | 'cpu';
const backend = await openBackend(engine === 'cpu' ? 'wasm' : engine);
const { tf } = backend;
// The pure JS backend of the same library is the reference: slow, and nobody's invention.
if (engine === 'cpu') await tf.setBackend('cpu');

const config = { inputSize: 23, widths: [4, 6], blocks: [1, 2], dropout: 0 };
const model = buildNetwork(backend, config, 7);
const random = createRandom(5);
for (const layer of model.layers) {
  // Away from the identity the blocks start as, so that every weight has a gradient.
  if (layer.name.endsWith('_bn2')) {
    layer.setWeights(
      layer.getWeights().map((weight, i) => (i === 0 ? tf.fill(weight.shape, 0.7) : weight)),
    );
  }
}
const pixels = Float32Array.from({ length: 5 * 23 * 23 }, () => random.uniform() * 255);
const films = tf.tensor4d(pixels, [5, 23, 23, 1]);
const targets = tf.tensor1d([0, 1, 1, 0, 1]);
const variables = model.trainableWeights.map(
  (weight) => (weight as unknown as { val: Variable }).val,
);
const before = tf.memory().numTensors;
const { value, grads } = tf.variableGrads(() => {
  const heads = model.apply(films, { training: true }) as Tensor[];
  return tf.addN(
    heads.map((logit) => tf.losses.sigmoidCrossEntropy(targets, logit.reshape([-1]))),
  ) as Scalar;
}, variables);
const leaked = tf.memory().numTensors - before - 1 - variables.length;
const statistics = model.weights
  .filter((weight) => /moving/.test(weight.name))
  .map((weight) => Array.from(weight.read().dataSync()));
process.stdout.write(
  JSON.stringify({
    engine: backend.description,
    loss: value.dataSync()[0],
    gradients: variables.map((variable) => Array.from(grads[variable.name]!.dataSync())),
    statistics,
    leaked,
  }),
);
