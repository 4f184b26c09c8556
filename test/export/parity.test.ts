import { describe, expect, it } from 'vitest';
import { checkParity, type Comparison } from '../../export/parity.ts';

/** Forty films, told apart well but not perfectly; every engine says the same. */
function agreement(): Comparison {
  const labels = Array.from({ length: 40 }, (_, i) => (i % 2) as 0 | 1);
  const logits = labels.map((label, i) => (label ? 1 : -1) + 1.5 * Math.sin(i));
  return {
    labels,
    tensorflow: logits,
    fp32: logits.map((logit, i) => logit + (i === 7 ? 4e-4 : 0)),
    wasm: [...logits],
    webgpu: [...logits],
  };
}

/** Swaps the answers to the surest normal and the surest pneumonia. */
function spoiled(logits: number[]): number[] {
  const [low, high] = [Math.min(...logits), Math.max(...logits)];
  return logits.map((logit) => (logit === low ? high : logit === high ? low : logit));
}

describe('checkParity', () => {
  it('reports what it measured when all is well', () => {
    const parity = checkParity(agreement());
    expect(parity.images).toBe(40);
    expect(parity.fp32MaxLogitDifference).toBeCloseTo(4e-4, 8);
    expect(parity.fp32Auc).toBeGreaterThan(0.8);
    expect(parity.int8Auc).toBe(parity.fp32Auc);
  });

  it('refuses a float32 file that differs by more than 0.001, saying by how much', () => {
    const comparison = agreement();
    comparison.fp32[3]! -= 0.0012;
    expect(() => checkParity(comparison)).toThrow(/differ by 0\.00120 in a logit \(40 films/);
  });

  it('refuses a float32 file that answers with no number', () => {
    const comparison = agreement();
    comparison.fp32[3] = NaN;
    expect(() => checkParity(comparison)).toThrow(/differ by NaN/);
  });

  it.each(['wasm', 'webgpu'] as const)('refuses a %s file that loses accuracy', (name) => {
    const comparison = agreement();
    comparison[name] = spoiled(comparison[name]);
    const message = name === 'wasm' ? /^The int8 file loses/ : /^The WebGPU file loses/;
    expect(() => checkParity(comparison)).toThrow(message);
  });
});
