/// <reference lib="webworker" />
import decoderUrl from '@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasm?url';
import { card as cardJson } from 'virtual:reading-files';
import { parseCard } from '../../reader/card.ts';
import { configureJpeg, decodeFilm } from '../../reader/decode/index.ts';
import {
  type Engine,
  ModelError,
  openEngine,
  type Ort,
  type Provider,
} from '../../reader/engine.ts';
import { type Film, FilmError } from '../../reader/film.ts';
import type { Reading } from '../../reader/reading.ts';
import { filesOf } from '../offline/files.ts';

/**
 * The worker that decodes and reads. It holds one engine; where WebGPU is tried beside WASM, each
 * has a worker of its own, because a runtime that failed to start spoils its realm.
 */

export type Request =
  | { id: number; kind: 'open'; engine: Provider }
  | { id: number; kind: 'decode'; bytes: ArrayBuffer }
  | { id: number; kind: 'read'; film: Film };

/** How an engine did on the picture with the known answer. */
export interface SelfTest {
  ok: boolean;
  /** In logits. */
  difference: number;
  /** Of the second run: the first one compiles. */
  ms: number;
}

export type Answer =
  | { id: number; kind: 'opened'; selfTest: SelfTest; threads: number }
  | { id: number; kind: 'decoded'; film: Film }
  | { id: number; kind: 'read'; reading: Reading }
  /** `code` is a FilmErrorCode or a ModelErrorCode. */
  | { id: number; kind: 'error'; of: 'film' | 'model' | 'other'; code: string; message: string };

configureJpeg({ wasmUrl: decoderUrl });
const card = parseCard(cardJson);
let engine: Engine | undefined;

async function open(provider: Provider): Promise<{ selfTest: SelfTest; threads: number }> {
  const files = filesOf(provider);
  const url = (part: string) => files.find(({ role }) => role.endsWith(part))!.url;
  const ort: Ort =
    provider === 'webgpu'
      ? await import('onnxruntime-web/webgpu')
      : await import('onnxruntime-web/wasm');
  // Threads need an isolated page; WebKit runs into trouble with them (onnxruntime #11679).
  const isWebKit = /AppleWebKit/.test(navigator.userAgent) && !/Chrome/.test(navigator.userAgent);
  const threads =
    self.crossOriginIsolated && !isWebKit ? Math.min(4, navigator.hardwareConcurrency || 1) : 1;
  const base = self.location.origin;
  ort.env.wasm.numThreads = provider === 'webgpu' ? 1 : threads;
  ort.env.wasm.wasmPaths = { mjs: `${base}${url('glue')}`, wasm: `${base}${url('runtime')}` };
  const response = await fetch(url('model'));
  if (!response.ok)
    throw new ModelError('runtime', `The model can not be fetched (${response.status}).`);
  const model = new Uint8Array(await response.arrayBuffer());
  engine = await openEngine(ort, model, card, { provider });
  const { ok, difference } = await engine.selfTest();
  const began = performance.now();
  if (ok) await engine.selfTest();
  return { selfTest: { ok, difference, ms: performance.now() - began }, threads };
}

async function answer(request: Request): Promise<Answer> {
  const { id } = request;
  try {
    switch (request.kind) {
      case 'open':
        return { id, kind: 'opened', ...(await open(request.engine)) };
      case 'decode':
        return { id, kind: 'decoded', film: await decodeFilm(new Uint8Array(request.bytes)) };
      case 'read':
        if (!engine) throw new ModelError('runtime', 'The model is not open.');
        return { id, kind: 'read', reading: await engine.read(request.film) };
    }
  } catch (error) {
    const { message } = error as Error;
    if (error instanceof FilmError)
      return { id, kind: 'error', of: 'film', code: error.code, message };
    if (error instanceof ModelError)
      return { id, kind: 'error', of: 'model', code: error.code, message };
    return { id, kind: 'error', of: 'other', code: 'unknown', message };
  }
}

self.onmessage = async ({ data }: MessageEvent<Request>) => {
  self.postMessage(await answer(data));
};
