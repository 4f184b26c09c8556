import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { registerFilterGradient } from './gradients.ts';
import { registerNativeGradients } from './gradients-native.ts';
import type { TF } from './tensorflow.ts';

export type BackendName = 'tensorflow' | 'wasm';

export interface Backend {
  tf: TF;
  name: BackendName;
  /** For people: engine and version. */
  description: string;
  /** Why the faster engine is not in use; undefined when it is. */
  fallback?: string;
}

/** No engine could be started: the message says which command mends it. */
export class BackendError extends Error {
  override name = 'BackendError';
}

let open: Promise<Backend> | undefined;

/**
 * Opens the engine that trains: native TensorFlow by tfjs-node where it is installed, else the
 * WASM backend with the kernel it lacks for training. One engine a process.
 * @param prefer forces one of the two; without it the faster one that works.
 * @throws BackendError when `prefer` names an engine that does not start.
 */
export function openBackend(prefer?: BackendName): Promise<Backend> {
  open ??= start(prefer);
  return open;
}

async function start(prefer?: BackendName): Promise<Backend> {
  if (prefer === 'wasm') return openWasm();
  try {
    return await openNative();
  } catch (error) {
    const reason = (error as Error).message.split('\n')[0]!;
    if (prefer === 'tensorflow') {
      throw new BackendError(`tfjs-node does not start (${reason}). Run: npm run setup:tensorflow`);
    }
    return openWasm(`tfjs-node does not start (${reason}); npm run setup:tensorflow mends it`);
  }
}

const require = createRequire(import.meta.url);

async function openNative(): Promise<Backend> {
  // Node 23 removed these two; tfjs-node 4.22.0 still calls them (tfjs #8609).
  const legacy = require('node:util') as Record<string, unknown>;
  legacy.isNullOrUndefined ??= (value: unknown) => value === null || value === undefined;
  legacy.isArray ??= Array.isArray;
  // Without its own word, TensorFlow logs every start of the process.
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';
  // Convolutions may round their inputs to bfloat16 where the processor multiplies it natively
  // (oneDNN 3, "implicit down-conversion"); sums stay in float32.
  process.env.ONEDNN_DEFAULT_FPMATH_MODE ??= 'BF16';
  process.env.TF_SET_ONEDNN_FPMATH_MODE ??= 'BF16';
  const tf = require('@tensorflow/tfjs-node') as TF;
  await tf.ready();
  registerNativeGradients(tf);
  const binding = (tf.backend() as unknown as { binding: { TF_Version: string } }).binding;
  return { tf, name: 'tensorflow', description: `tfjs-node, TensorFlow ${binding.TF_Version}` };
}

async function openWasm(fallback?: string): Promise<Backend> {
  const tf = require('@tensorflow/tfjs') as TF;
  const wasm = require('@tensorflow/tfjs-backend-wasm') as {
    setWasmPaths(path: string): void;
    version_wasm: string;
  };
  const folder = dirname(require.resolve('@tensorflow/tfjs-backend-wasm/package.json'));
  wasm.setWasmPaths(join(folder, 'dist') + '/');
  registerFilterGradient(tf);
  if (!(await tf.setBackend('wasm'))) {
    throw new BackendError('The WASM backend does not start. Run: npm ci');
  }
  return {
    tf,
    name: 'wasm',
    description: `TensorFlow.js ${wasm.version_wasm} on WASM`,
    ...(fallback !== undefined && { fallback }),
  };
}
