import { beforeAll, describe, expect, it } from 'vitest';
import { modelOf } from '../../export/graph.ts';
import { translate } from '../../export/layers.ts';
import type { Network } from '../../export/network.ts';
import { activationScale, quantizeWeights, roundHalfToEven } from '../../export/quantize.ts';
import { quantize, type Quantized } from '../../export/calibrate.ts';
import { type Histogram, RANGE_METHODS } from '../../export/ranges.ts';
import { openReader } from '../../export/runtime.ts';
import type { Film } from '../../reader/film.ts';
import { drawPhantom } from '../../reader/phantom.ts';
import { openBackend } from '../../training/backend.ts';
import { buildNetwork, DEFAULT_NETWORK } from '../../training/network.ts';
import { openTf, randomizeWeights } from './helpers.ts';

describe('roundHalfToEven', () => {
  it.each([
    [0.5, 0],
    [1.5, 2],
    [2.5, 2],
    [-0.5, 0],
    [-1.5, -2],
    [2.4, 2],
    [2.6, 3],
    [-2.6, -3],
  ])('rounds %d to %d', (value, rounded) => {
    expect(roundHalfToEven(value) + 0).toBe(rounded);
  });
});

describe('activationScale', () => {
  it.each([
    // 3 / 255; 1 / (3 / 255) = 85
    [{ low: -1, high: 2 }, 3 / 255, 85],
    // Widened to 0, whatever the sign.
    [{ low: 0.5, high: 2 }, 2 / 255, 0],
    [{ low: -1, high: -0.2 }, 1 / 255, 255],
    // Halves go to the even neighbour: 0.5 to 0, 1.5 to 2.
    [{ low: -0.5, high: 254.5 }, 1, 0],
    [{ low: -1.5, high: 253.5 }, 1, 2],
    // Never anything but 0.
    [{ low: 0, high: 0 }, 1, 0],
  ])('of %o', (range, scale, zeroPoint) => {
    expect(activationScale(range).scale).toBeCloseTo(scale, 8);
    expect(activationScale(range).zeroPoint).toBe(zeroPoint);
  });
});

describe('quantizeWeights', () => {
  it('scales each output channel by its own largest weight, symmetrically', () => {
    const { weight, scales } = quantizeWeights({
      weight: Float32Array.of(1.27, -0.5, 0.254, -25.4, 12.6, 0),
      bias: new Float32Array(2),
    });
    expect([...scales].map((scale) => Number(scale.toFixed(6)))).toEqual([0.01, 0.2]);
    expect([...weight]).toEqual([127, -50, 25, -127, 63, 0]);
  });

  it('keeps the int32 bias of a channel that is all but switched off in range', () => {
    const inputScale = 0.02;
    const layer = { weight: Float32Array.of(1e-9, -1e-9), bias: Float32Array.of(3) };
    const { scales } = quantizeWeights(layer, inputScale);
    const quantizedBias = 3 / (inputScale * scales[0]!);
    expect(quantizedBias).toBeLessThan(2 ** 31);
    expect(quantizedBias).toBeGreaterThan(2 ** 29);
  });

  it('leaves a channel of zeros at zero', () => {
    const { weight, scales } = quantizeWeights({
      weight: new Float32Array(4),
      bias: Float32Array.of(0),
    });
    expect([...weight]).toEqual([0, 0, 0, 0]);
    expect(scales[0]).toBeGreaterThan(0);
  });
});

describe('the methods of choosing ranges', () => {
  const rangeBy = (name: string, histogram: Histogram) =>
    RANGE_METHODS.find((method) => method.name === name)!.rangeOf(histogram);
  /** Ten bins of width 1 from -1 to 9: the bulk between 1 and 5, one outlier at each end. */
  const counts = Float64Array.of(1, 0, 25_000, 25_000, 25_000, 25_000, 3, 0, 0, 1);
  const histogram = { low: -1, high: 9, counts };

  it('min-max takes all', () => {
    expect(rangeBy('min-max', histogram)).toEqual({ low: -1, high: 9 });
  });

  it('percentiles drop the rarest values at both ends', () => {
    // 0.01 % of 100,005 values is 10: 5 may go at each end.
    expect(rangeBy('percentile 99.99', histogram)).toEqual({ low: 1, high: 5 });
    // 0.001 % is 1: not even the outlier may go.
    expect(rangeBy('percentile 99.999', histogram)).toEqual({ low: -1, high: 9 });
  });

  it('least squares clips an outlier that would cost all others resolution, and no more', () => {
    const far = { low: 0, high: 100, counts: new Float64Array(2000) };
    far.counts.fill(1000, 0, 200);
    far.counts[1999] = 1;
    const { low, high } = rangeBy('least squares', far);
    expect(low).toBe(0);
    expect(high).toBeGreaterThanOrEqual(9.9);
    expect(high).toBeLessThan(90);
    // Without the outlier there is nothing to gain.
    const even = { low: 0, high: 10, counts: new Float64Array(200).fill(1000) };
    expect(rangeBy('least squares', even).high).toBeGreaterThan(9.8);
  });
});

describe('a quantized residual network', () => {
  const side = 208;
  const phantoms = (count: number, firstSeed: number): Film[] =>
    Array.from({ length: count }, (_, k) =>
      drawPhantom({ width: side, height: side, seed: firstSeed + k, consolidation: (k % 4) / 3 }),
    );

  let network: Network;
  let quantized: Quantized;
  /** Logits of films that the quantizer has not seen. */
  let logits: Record<'fp32' | 'wasm' | 'webgpu', number[]>;

  beforeAll(async () => {
    const tf = await openTf();
    const config = { ...DEFAULT_NETWORK, widths: [8, 16], blocks: [1, 2] };
    const model = buildNetwork(await openBackend('wasm'), config, 1);
    randomizeWeights(tf, model, 2);
    network = translate(model, { slope: 4, offset: 0 });
    quantized = await quantize(network, phantoms(12, 100));
    const files = { fp32: modelOf(network), wasm: quantized.wasm, webgpu: quantized.webgpu };
    logits = { fp32: [], wasm: [], webgpu: [] };
    for (const name of ['fp32', 'wasm', 'webgpu'] as const) {
      const reader = await openReader(files[name]);
      for (const film of phantoms(12, 500)) logits[name].push(await reader.logit(film));
      await reader.close();
    }
  });

  const meanError = (name: 'wasm' | 'webgpu') =>
    logits[name].reduce((sum, logit, i) => sum + Math.abs(logit - logits.fp32[i]!), 0) / 12;
  const spread = () => Math.max(...logits.fp32) - Math.min(...logits.fp32);

  it('stays close to the float network on films it was not calibrated on', () => {
    expect(meanError('wasm')).toBeLessThan(0.03 * spread());
    expect(meanError('webgpu')).toBeLessThan(0.015 * spread());
  });

  it('tells how each method of choosing ranges did, the chosen one first', () => {
    const errors = quantized.trials.map(({ meanError }) => meanError);
    expect(errors).toHaveLength(4);
    expect(errors).toEqual([...errors].sort((a, b) => a - b));
  });

  it('is centred on the float network: what is left is scatter, not a shift', () => {
    const shift = logits.wasm.reduce((sum, logit, i) => sum + logit - logits.fp32[i]!, 0) / 12;
    expect(Math.abs(shift)).toBeLessThan(0.015 * spread());
  });
});
