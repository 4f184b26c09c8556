import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';

interface Report {
  engine: string;
  loss: number;
  gradients: number[][];
  statistics: number[][];
  leaked: number;
}

const script = fileURLToPath(new URL('./gradients-of.ts', import.meta.url));

async function gradientsOf(engine: 'cpu' | 'wasm' | 'tensorflow'): Promise<Report> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--import', 'tsx', script, engine],
    // Full precision: the trainer lets convolutions round to bfloat16, which a proof must not.
    {
      env: {
        ...process.env,
        ONEDNN_DEFAULT_FPMATH_MODE: 'STRICT',
        TF_SET_ONEDNN_FPMATH_MODE: 'FP32',
      },
    },
  );
  return JSON.parse(stdout) as Report;
}

/** Largest difference of any gradient, relative to the largest entry of its tensor. */
function difference(a: number[][], b: number[][]): number {
  let worst = 0;
  for (const [i, values] of a.entries()) {
    const scale = Math.max(...values.map(Math.abs));
    for (const [j, value] of values.entries()) {
      worst = Math.max(worst, Math.abs(value - b[i]![j]!) / scale);
    }
  }
  return worst;
}

let reference: Report;
beforeAll(async () => {
  reference = await gradientsOf('cpu');
});

describe('gradients agree with the pure JS backend', () => {
  it('on WASM, with our kernel for the filter gradient', async () => {
    const report = await gradientsOf('wasm');
    expect(report.loss).toBeCloseTo(reference.loss, 5);
    expect(difference(reference.gradients, report.gradients)).toBeLessThan(5e-5);
    expect(difference(reference.statistics, report.statistics)).toBeLessThan(1e-4);
    expect(report.leaked).toBe(0);
  });

  it('on tfjs-node, with its fused kernels', async (test) => {
    const report = await gradientsOf('tensorflow').catch((error: { stderr: string }) => {
      const reason = /BackendError: (.*)/.exec(error.stderr)?.[1];
      if (!reason) throw error;
      return test.skip(reason);
    });
    expect(report.loss).toBeCloseTo(reference.loss, 5);
    expect(difference(reference.gradients, report.gradients)).toBeLessThan(5e-5);
    expect(difference(reference.statistics, report.statistics)).toBeLessThan(1e-4);
    expect(report.leaked).toBe(0);
  });
});
