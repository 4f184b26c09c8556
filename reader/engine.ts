import type * as OrtWeb from 'onnxruntime-web';
import type { ModelCard } from './card.ts';
import { CONTRACT } from './contract.ts';
import type { Film } from './film.ts';
import { refusals, verdictAt, type Reading } from './reading.ts';

/**
 * Everything that is odd about onnxruntime-web, in one place:
 *
 * - The runtime is passed in, because its builds differ: `onnxruntime-web/wasm` in Node and for
 *   WASM in the browser, `onnxruntime-web/webgpu` for WebGPU only (its int8 kernels on WASM are ten
 *   times slower). The edge that imports it also sets `ort.env.wasm` (paths, threads) before.
 * - `create` and `run` must not overlap in one runtime: all engines of a realm take turns.
 * - A runtime whose WASM failed to start stays broken in that realm. After a `ModelError` with the
 *   code `runtime`, start a new worker.
 * - WASM memory comes back only with the end of the worker; `close` frees the session within it.
 */
export type Ort = Pick<typeof OrtWeb, 'InferenceSession' | 'Tensor' | 'env'>;

export type Provider = 'wasm' | 'webgpu';

export interface EngineOptions {
  provider: Provider;
  /** Which of the card's files `model` is; the provider's own by default. */
  file?: Provider;
}

/** A model that reads films. */
export interface Engine {
  provider: Provider;
  /**
   * Reads one film. A film that is refused still gets its probability, for evaluations.
   * @throws ModelError `runtime` when the model fails or answers with no number.
   */
  read(film: Film): Promise<Reading>;
  /**
   * Runs the card's picture with the known answer: a GPU driver can be wrong without an error.
   * `difference` is in logits, `Infinity` when the model failed on it.
   */
  selfTest(): Promise<{ ok: boolean; difference: number }>;
  /** Frees the session. Reading afterwards fails. */
  close(): Promise<void>;
}

/**
 * `checksum`: the file is not the one the card describes. `unusable`: the runtime does not take
 * it. `runtime`: the runtime failed while starting or running. `insecure`: no checksum can be made.
 */
export type ModelErrorCode = 'checksum' | 'unusable' | 'runtime' | 'insecure';

/** A model that can not be trusted or run. Records and films are never touched by it. */
export class ModelError extends Error {
  override name = 'ModelError';
  constructor(
    readonly code: ModelErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/**
 * Opens a model after checking that it is the very file its card describes.
 * @param model the ONNX file's bytes.
 * @throws ModelError
 */
export async function openEngine(
  ort: Ort,
  model: Uint8Array,
  card: ModelCard,
  { provider, file = provider }: EngineOptions,
): Promise<Engine> {
  await verifyModel(model, card, file);
  const session = await inTurn(() => createSession(ort, model, provider));

  const run = (film: Film) =>
    inTurn(async () => {
      const began = performance.now();
      const answer = await infer(ort, session, film);
      return { ...answer, ms: performance.now() - began };
    });

  return {
    provider,
    async read(film) {
      const reasons = refusals(film);
      const { probability, ms } = await run(film);
      const verdict = reasons.length > 0 ? 'refused' : verdictAt(probability, card.operatingPoint);
      return { verdict, probability, reasons, ms };
    },
    async selfTest() {
      const { tolerance, logit: known } = card.selfTest;
      try {
        const { logit } = await run(selfTestFilm(card));
        const difference = Math.abs(logit - known[file]);
        return { ok: difference <= tolerance, difference };
      } catch {
        return { ok: false, difference: Infinity };
      }
    },
    close: () => inTurn(() => session.release()),
  };
}

/**
 * Checks a model file against its card.
 * @throws ModelError `checksum`, or `insecure` where the platform makes no checksums.
 */
export async function verifyModel(
  model: Uint8Array,
  card: ModelCard,
  file: Provider,
): Promise<void> {
  const expected = card.files[file];
  const found = await sha256(model);
  if (found === expected.sha256) return;
  throw new ModelError(
    'checksum',
    `The model file ${expected.file} is not the one its card describes ` +
      `(SHA-256 ${found.slice(0, 12)}… instead of ${expected.sha256.slice(0, 12)}…): it is damaged ` +
      'or belongs to another card. Nothing was read with it. Fetch or export the model again.',
  );
}

/**
 * Hex SHA-256.
 * @throws ModelError `insecure` on a page that came over plain HTTP, where browsers offer none.
 */
export async function sha256(bytes: Uint8Array): Promise<string> {
  if (!globalThis.crypto?.subtle) {
    throw new ModelError(
      'insecure',
      'The model can not be checked on an unprotected connection. Open this page over https.',
    );
  }
  const digest = await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

async function createSession(
  ort: Ort,
  model: Uint8Array,
  provider: Provider,
): Promise<OrtWeb.InferenceSession> {
  let session: OrtWeb.InferenceSession;
  try {
    session = await ort.InferenceSession.create(model, {
      executionProviders: [provider],
      graphOptimizationLevel: 'all',
      // 3 is errors: WebGPU warns of every node it leaves to the CPU, which is by design.
      logSeverityLevel: 3,
    });
  } catch (cause) {
    // The runtime's own words for a graph it has looked at; anything else failed before.
    const seen = text(cause).includes("Can't create a session");
    throw new ModelError(
      seen ? 'unusable' : 'runtime',
      `The model could not be started on ${provider}: ${text(cause)}`,
      { cause },
    );
  }
  const lacking = [
    ...(session.inputNames.includes(CONTRACT.input) ? [] : [`the input "${CONTRACT.input}"`]),
    ...[CONTRACT.logit, CONTRACT.probability]
      .filter((name) => !session.outputNames.includes(name))
      .map((name) => `the output "${name}"`),
  ];
  if (lacking.length > 0) {
    await session.release();
    throw new ModelError('unusable', `The model lacks ${lacking.join(' and ')}. Export it again.`);
  }
  return session;
}

async function infer(ort: Ort, session: OrtWeb.InferenceSession, { grey, width, height }: Film) {
  const film = new ort.Tensor('uint8', grey, [height, width]);
  let logit: number | undefined;
  let probability: number | undefined;
  try {
    const outputs = await session.run({ [CONTRACT.input]: film }, [
      CONTRACT.logit,
      CONTRACT.probability,
    ]);
    logit = outputs[CONTRACT.logit]?.data[0] as number | undefined;
    probability = outputs[CONTRACT.probability]?.data[0] as number | undefined;
  } catch (cause) {
    throw new ModelError('runtime', `The model failed on this film: ${text(cause)}`, { cause });
  }
  // Compared with a threshold, NaN would pass for "no signs".
  if (!Number.isFinite(logit) || !(probability! >= 0 && probability! <= 1)) {
    throw new ModelError('runtime', `The model gave no probability but ${probability}.`);
  }
  return { logit: logit!, probability: probability! };
}

/** The picture with the known answer, out of the card. */
export function selfTestFilm({ selfTest: { width, height, grey } }: ModelCard): Film {
  const pixels = Uint8Array.from(atob(grey), (character) => character.charCodeAt(0));
  return { width, height, grey: pixels, colourfulness: 0 };
}

let last: Promise<unknown> = Promise.resolve();

/** Runs a task after all earlier ones have ended, well or badly. */
function inTurn<T>(task: () => Promise<T>): Promise<T> {
  const result = last.then(task, task);
  last = result.catch(() => {});
  return result;
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
