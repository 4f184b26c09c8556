import { describe, expect, it } from 'vitest';
import { centralCrop } from '../../export/films.ts';
import { GraphBuilder } from '../../export/onnx.ts';
import { addPreprocessing, OPSET, resizeModel } from '../../export/preprocessing.ts';
import { CONTRACT, PREPROCESSING } from '../../reader/contract.ts';
import type { Film } from '../../reader/film.ts';
import { createRandom } from '../../reader/random.ts';
import { filmTensor } from '../../export/runtime.ts';
import { largestDifference, runOnnx } from './helpers.ts';

const SIDE = PREPROCESSING.resizeTo;

/**
 * Pillow's bilinear resize of one axis (libImaging/Resample.c): a triangle filter that grows with
 * the reduction, weights normalised over the pixels there are, in 22-bit fixed point.
 */
function resizeAxis(values: Uint8Array, length: number, to: number): Uint8Array {
  const lines = values.length / length;
  const scale = length / to;
  const support = Math.max(scale, 1);
  const out = new Uint8Array(lines * to);
  for (let i = 0; i < to; i++) {
    const centre = (i + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - support + 0.5));
    const last = Math.min(length, Math.trunc(centre + support + 0.5));
    const triangle = Float64Array.from({ length: last - first }, (_, k) =>
      Math.max(0, 1 - Math.abs((first + k - centre + 0.5) / support)),
    );
    const total = triangle.reduce((sum, weight) => sum + weight, 0);
    const weights = triangle.map((weight) => Math.trunc(0.5 + (weight / total) * 2 ** 22));
    for (let line = 0; line < lines; line++) {
      let sum = 2 ** 21;
      for (let k = 0; k < weights.length; k++)
        sum += weights[k]! * values[line * length + first + k]!;
      out[line * to + i] = Math.floor(sum / 2 ** 22);
    }
  }
  return out;
}

function transpose(values: Uint8Array, rows: number, columns: number): Uint8Array {
  return values.map((_, at) => values[(at % rows) * columns + Math.floor(at / rows)]!);
}

function resizeAsPillow({ grey, width, height }: Film): Uint8Array {
  const narrow = resizeAxis(grey, width, SIDE);
  const turned = transpose(narrow, height, SIDE);
  return transpose(resizeAxis(turned, height, SIDE), SIDE, SIDE);
}

const noise = (width: number, height: number): Film => {
  const random = createRandom(width);
  const grey = Uint8Array.from({ length: width * height }, () => random.integer(256));
  return { width, height, grey, colourfulness: 0 };
};

/** Finer than the target's pixels: without antialiasing they would come out as a coarse pattern. */
const stripes = (width: number, height: number): Film => ({
  width,
  height,
  grey: Uint8Array.from({ length: width * height }, (_, at) => ((at % width) % 3 === 0 ? 255 : 0)),
  colourfulness: 0,
});

async function resize(film: Film): Promise<Uint8Array> {
  const { resized } = await runOnnx(resizeModel(), { [CONTRACT.input]: filmTensor(film) });
  return resized as unknown as Uint8Array;
}

/**
 * What the network sees of a resized film. The outermost pixels do differ from Pillow's, by up to
 * 18 levels on noise: onnxruntime gives the part of the filter that overhangs to the edge pixel.
 */
const seen = (grey: Uint8Array) =>
  centralCrop({ width: SIDE, height: SIDE, grey, colourfulness: 0 });

describe('the resize of the exported model', () => {
  it.each([
    [2348, 1963],
    [791, 615],
    [224, 224],
    [209, 640],
    [100, 64],
  ])('is that of Pillow, antialiased: %i x %i', async (width, height) => {
    for (const film of [noise(width, height), stripes(width, height)]) {
      const [found, expected] = [await resize(film), resizeAsPillow(film)].map(seen);
      expect(largestDifference(found!, expected!)).toBeLessThanOrEqual(1);
    }
  });

  it('leaves a film of the working size as it is, so a prepared film may go through it again', async () => {
    const film = noise(SIDE, SIDE);
    expect(await resize(film)).toEqual(film.grey);
  });
});

describe('the preprocessing of the exported model', () => {
  it('cuts off the edge equally all round and hands on grey levels as floats', async () => {
    const film = noise(SIDE, SIDE);
    const graph = new GraphBuilder();
    const grey = addPreprocessing(graph);
    graph.output(grey, 'float32', [1, 1, PREPROCESSING.inputSize, PREPROCESSING.inputSize]);
    const model = graph.toModel({ name: 'test', opset: OPSET });
    const outputs = await runOnnx(model, { [CONTRACT.input]: filmTensor(film) });
    expect(outputs[grey]).toEqual(centralCrop(film));
    const margin = (SIDE - PREPROCESSING.inputSize) / 2;
    expect(outputs[grey]![0]).toBe(film.grey[margin * SIDE + margin]);
    expect(outputs[grey]!.at(-1)).toBe(film.grey.at(-1 - margin * SIDE - margin));
  });
});
