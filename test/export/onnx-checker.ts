import { execFile } from 'node:child_process';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder } from '../../training/cache.ts';

const execute = promisify(execFile);

/** ONNX's own judgement on a model. */
export type Checker = (path: string) => Promise<void>;

const SCRIPT = `
import sys, onnx
model = onnx.load(sys.argv[1])
onnx.checker.check_model(model, full_check=True)
`;

/**
 * The official checker (PyPI \`onnx\`), installed into a virtual environment in the cache folder the
 * first time.
 * @returns the checker, or why there is none: no Python, or a network that gives no packages.
 */
export async function onnxChecker(): Promise<Checker | { missing: string }> {
  const folder = join(cacheFolder(), 'onnx-checker');
  const python = join(folder, 'bin', 'python');
  const works = () =>
    execute(python, ['-c', 'import onnx']).then(
      () => true,
      () => false,
    );
  try {
    if (!(await works())) {
      await execute('python3', ['-m', 'venv', '--clear', folder]);
      await execute(python, ['-m', 'pip', 'install', '--quiet', '--retries', '1', 'onnx'], {
        timeout: 180_000,
      });
      await access(python);
    }
  } catch (error) {
    return { missing: (error as Error).message.trim().split('\n').at(-1)! };
  }
  return async (path) => {
    await execute(python, ['-c', SCRIPT, path]);
  };
}
