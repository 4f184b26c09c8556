/**
 * `npm run bench`: training speed and memory of each engine, side by side, on the network that
 * ships (random pixels, so no data is needed). Each engine runs in a process of its own; the median
 * of its steps counts, the first step does not.
 */
import { execFileSync } from 'node:child_process';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Scalar, Tensor, Variable } from '@tensorflow/tfjs';
import { type BackendName, openBackend } from './backend.ts';
import { buildNetwork, DEFAULT_NETWORK } from './network.ts';
import { AdamW, DEFAULT_OPTIMIZER } from './optimizer.ts';

interface BenchResult {
  engine: string;
  batch: number;
  steps: number;
  imagesPerSecond: number;
  peakMemoryGiB: number;
}

/** Films a step and steps, by engine: the slow one gets fewer. */
const WORK: Record<BackendName, { batch: number; steps: number }> = {
  tensorflow: { batch: 64, steps: 9 },
  wasm: { batch: 8, steps: 3 },
};

async function measure(name: BackendName): Promise<BenchResult> {
  const backend = await openBackend(name);
  const { tf } = backend;
  const { batch, steps } = WORK[name];
  const size = DEFAULT_NETWORK.inputSize;
  const model = buildNetwork(backend, DEFAULT_NETWORK, 1);
  const variables = model.trainableWeights.map(
    (weight) => (weight as unknown as { val: Variable }).val,
  );
  const optimizer = new AdamW(tf, variables, DEFAULT_OPTIMIZER);
  const films = tf.randomUniform([batch, size, size, 1], 0, 255, 'float32', 1);
  const targets = tf.tensor1d(Array.from({ length: batch }, (_, i) => i % 2));
  const milliseconds: number[] = [];
  for (let step = 0; step <= steps; step++) {
    const start = performance.now();
    const { value, grads } = tf.variableGrads(() => {
      const heads = model.apply(films, { training: true }) as Tensor[];
      const losses = heads.map((logit) =>
        tf.losses.sigmoidCrossEntropy(targets, logit.reshape([-1])),
      );
      return tf.addN(losses) as Scalar;
    }, variables);
    optimizer.apply(grads, step, 1e-4);
    await value.data();
    value.dispose();
    if (step > 0) milliseconds.push(performance.now() - start);
  }
  milliseconds.sort((a, b) => a - b);
  return {
    engine: backend.description,
    batch,
    steps,
    imagesPerSecond: (batch * 1000) / milliseconds[milliseconds.length >> 1]!,
    peakMemoryGiB: process.resourceUsage().maxRSS / 2 ** 20,
  };
}

async function main(): Promise<void> {
  const [, , engine] = process.argv;
  if (engine) {
    process.stdout.write(JSON.stringify(await measure(engine as BackendName)));
    return;
  }
  const print = (text: string) => process.stdout.write(`${text}\n`);
  print(
    `Training at ${DEFAULT_NETWORK.inputSize} px on ${cpus().length} cores (${cpus()[0]?.model.trim()})`,
  );
  for (const name of ['tensorflow', 'wasm'] as const) {
    try {
      const output = execFileSync(
        process.execPath,
        ['--import', 'tsx', fileURLToPath(import.meta.url), name],
        { stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' },
      );
      const result = JSON.parse(output) as BenchResult;
      print(
        `${result.engine.padEnd(36)} ${result.imagesPerSecond.toFixed(1).padStart(6)} images/s   ` +
          `${result.peakMemoryGiB.toFixed(1)} GiB   (batch ${result.batch}, ${result.steps} steps)`,
      );
    } catch (error) {
      const text = String((error as { stderr?: string }).stderr ?? error);
      print(`${name.padEnd(36)} ${/BackendError: (.*)/.exec(text)?.[1] ?? text.trim()}`);
    }
  }
}

await main();
