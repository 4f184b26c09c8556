import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GraphBuilder } from '../export/onnx.ts';
import { addPreprocessing, OPSET } from '../export/preprocessing.ts';
import type { Metrics, ModelCard } from '../reader/card.ts';
import { CONTRACT, MODEL_FILES, PREPROCESSING } from '../reader/contract.ts';
import { openEngine } from '../reader/engine.ts';
import { drawPhantom } from '../reader/phantom.ts';

/**
 * A model for tests, of the real shape: the real preprocessing, then one hand-made feature instead
 * of a network. Opacities make lungs brighter beside the whole film, so the logit grows with the
 * mean of two boxes in the lungs minus the mean of everything, over the standard deviation.
 */
export function tinyModelBytes(offset = OFFSET): Uint8Array {
  const graph = new GraphBuilder();
  const grey = addPreprocessing(graph);
  const side = PREPROCESSING.inputSize;
  const reduce = { keepdims: { int: 0 } };
  graph.integers('all_axes', [0, 1, 2, 3]);
  const mean = graph.node('ReduceMean', [grey, 'all_axes'], 'mean', reduce);
  const centred = graph.node('Sub', [grey, mean], 'centred');
  const square = graph.node('Mul', [centred, centred], 'square');
  const variance = graph.node('ReduceMean', [square, 'all_axes'], 'variance', reduce);
  const deviation = graph.node('Sqrt', [variance], 'deviation');
  const spread = graph.node('Add', [deviation, graph.scalar('epsilon', 1)], 'spread');

  graph.integers('box_axes', [2, 3]);
  const box = (name: string, left: number, right: number) => {
    graph.integers(
      `${name}_from`,
      [0.3, left].map((f) => Math.round(f * side)),
    );
    graph.integers(
      `${name}_to`,
      [0.62, right].map((f) => Math.round(f * side)),
    );
    graph.node('Slice', [centred, `${name}_from`, `${name}_to`, 'box_axes'], name);
    return graph.node('ReduceMean', [name, 'all_axes'], `${name}_mean`, reduce);
  };
  const lungs = graph.node('Add', [box('left', 0.2, 0.38), box('right', 0.62, 0.8)], 'lungs');
  const relative = graph.node('Div', [lungs, spread], 'relative');
  const scaled = graph.node('Mul', [relative, graph.scalar('slope', SLOPE)], 'scaled');
  const shifted = graph.node('Add', [scaled, graph.scalar('offset', offset)], 'shifted');
  graph.integers('one', [1]);
  graph.node('Reshape', [shifted, 'one'], CONTRACT.logit);
  graph.node('Sigmoid', [CONTRACT.logit], CONTRACT.probability);
  graph.output(CONTRACT.logit, 'float32', [1]);
  graph.output(CONTRACT.probability, 'float32', [1]);
  return graph.toModel({ name: 'tiny', opset: OPSET });
}

const SLOPE = 10;
const OFFSET = 3.5;

/** The tiny model with a card that fits it, its self-test answer computed by the runtime itself. */
export async function tinyModel(): Promise<{ model: Uint8Array; card: ModelCard }> {
  const model = tinyModelBytes();
  const card = tinyCard(model);
  const ort = await import('onnxruntime-web/wasm');
  ort.env.wasm.numThreads = 1;
  const engine = await openEngine(ort, model, card, { provider: 'wasm' });
  const { difference } = await engine.selfTest();
  await engine.close();
  // The card so far claims a logit of -100, below anything the model says.
  const logit = difference - 100;
  return {
    model,
    card: { ...card, selfTest: { ...card.selfTest, logit: { wasm: logit, webgpu: logit } } },
  };
}

/** Writes `bellows.onnx` and `card.json` into a folder. */
export async function writeTinyModel(dir: string): Promise<string> {
  const { model, card } = await tinyModel();
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, MODEL_FILES.wasm), model);
  await writeFile(join(dir, MODEL_FILES.card), JSON.stringify(card, null, 2));
  return join(dir, MODEL_FILES.wasm);
}

function tinyCard(model: Uint8Array): ModelCard {
  const { grey, width, height } = drawPhantom({
    width: 80,
    height: 70,
    seed: 3,
    consolidation: 0.5,
  });
  const file = {
    file: MODEL_FILES.wasm,
    sha256: createHash('sha256').update(model).digest('hex'),
    bytes: model.length,
    precision: 'fp32',
    opset: OPSET,
  };
  return {
    format: 1,
    name: 'tiny',
    date: '2026-01-01T00:00:00Z',
    files: { wasm: file, webgpu: { ...file, file: MODEL_FILES.webgpu } },
    inputs: [{ name: CONTRACT.input, type: 'uint8', shape: ['height', 'width'] }],
    outputs: [{ name: CONTRACT.probability, type: 'float32', shape: [1] }],
    operatingPoint: { threshold: 0.5, uncertain: { low: 0.45, high: 0.55 }, chosenOn: 'nothing' },
    calibration: { slope: 1, offset: 0, fittedOn: 'nothing' },
    training: {
      data: 'none',
      licence: 'none',
      images: { train: 0, validation: 0 },
      patients: { train: 0, validation: 0 },
      prevalence: 0.5,
      seed: 1,
      epochs: 0,
      backend: 'none',
      weights: '0'.repeat(64),
    },
    metrics: {} as Record<string, Metrics>,
    parity: { images: 0, fp32MaxLogitDifference: 0, fp32Auc: 0, int8Auc: 0, webgpuAuc: 0 },
    selfTest: {
      width,
      height,
      grey: Buffer.from(grey).toString('base64'),
      logit: { wasm: -100, webgpu: -100 },
      tolerance: 0.01,
    },
    ages: { low: 1, high: 5 },
    limits: [],
    versions: {},
  };
}
