import { card } from 'virtual:reading-files';
import { parseCard } from '../../reader/card.ts';
import type { Provider } from '../../reader/engine.ts';
import type { Film } from '../../reader/film.ts';
import type { Reading } from '../../reader/reading.ts';
import { fetchFiles, type FilesState } from '../offline/files.ts';
import { ReadingWorker } from './worker-bridge.ts';
import type { SelfTest } from './worker.ts';

export const CARD = parseCard(card);

/** Which engine may be used: the best that proves itself, or just this one. */
export type EnginePreference = 'auto' | Provider;

/** Why WebGPU is not the engine; shown to people. */
export type NoWebGpu = 'absent' | 'software' | 'wrong' | 'slower' | 'failed' | 'not-asked';

/** The engine in use, and how it proved itself. */
export interface EngineReport {
  engine: Provider;
  selfTest: SelfTest;
  threads: number;
  /** Undefined when WebGPU is in use. */
  noWebGpu?: NoWebGpu;
}

/** From "nothing yet" to "reads offline". */
export type ReaderState =
  | { kind: 'fetching'; files: FilesState }
  | { kind: 'starting' }
  | { kind: 'ready'; report: EngineReport }
  | { kind: 'failed'; reason: string };

/**
 * Reads films in the background. Starts with WASM, which runs everywhere; then tries WebGPU beside
 * it and changes over only if it gives the known answer and is faster.
 */
export class Reader {
  state: ReaderState = { kind: 'fetching', files: { kind: 'checking' } };
  readonly #preference: EnginePreference;
  readonly #onState: (state: ReaderState) => void;
  #open: { worker: ReadingWorker; engine: Provider } | undefined;
  /** Decoding needs no model, so it does not wait for one. */
  #decoder: ReadingWorker | undefined;
  #started: Promise<ReaderState> | undefined;

  constructor(preference: EnginePreference, onState: (state: ReaderState) => void) {
    this.#preference = preference;
    this.#onState = onState;
  }

  /** Fetches what is missing and starts; call again after a failure or when the network is back. */
  start(): Promise<ReaderState> {
    this.#started ??= this.#start().then(() => {
      if (this.state.kind !== 'ready') this.#started = undefined;
      return this.state;
    });
    return this.#started;
  }

  /** @throws UnreadableFilm */
  async decode(file: Blob): Promise<Film> {
    const bytes = await file.arrayBuffer();
    return (this.#decoder ??= new ReadingWorker()).decode(bytes);
  }

  /**
   * Reads one film, as soon as the engine is there.
   * @throws AbortError when `signal` is aborted; the engine goes on being there.
   */
  async read(film: Film, signal: AbortSignal): Promise<{ reading: Reading; engine: Provider }> {
    signal.throwIfAborted();
    const { kind } = await this.start();
    for (;;) {
      signal.throwIfAborted();
      if (kind !== 'ready') throw new Error('The model is not on this device yet.');
      const open = this.#open!;
      try {
        const reading = await open.worker.read(film);
        signal.throwIfAborted();
        return { reading, engine: open.engine };
      } catch (error) {
        // A better engine took over while this film was read: it reads the film again.
        if (this.#open === open) throw error;
      }
    }
  }

  async #start(): Promise<void> {
    try {
      const first: Provider = this.#preference === 'webgpu' ? 'webgpu' : 'wasm';
      if (!(await this.#fetch(first))) return;
      this.#set({ kind: 'starting' });
      const { worker, report } = await this.#prove(first);
      if (!report.selfTest.ok) {
        worker.terminate();
        const difference = report.selfTest.difference.toFixed(2);
        throw new Error(
          `This device computes wrongly (${first} is off by ${difference}). No film is read here.`,
        );
      }
      this.#open = { worker, engine: first };
      if (first === 'webgpu') {
        this.#set({ kind: 'ready', report });
        return;
      }
      const noWebGpu = this.#preference === 'auto' ? await webGpuObstacle() : 'not-asked';
      this.#set({ kind: 'ready', report: { ...report, ...(noWebGpu && { noWebGpu }) } });
      if (!noWebGpu) void this.#tryWebGpu(report);
    } catch (error) {
      this.#set({ kind: 'failed', reason: (error as Error).message });
    }
  }

  async #tryWebGpu(wasm: EngineReport): Promise<void> {
    const stay = (noWebGpu: NoWebGpu) =>
      this.#set({ kind: 'ready', report: { ...wasm, noWebGpu } });
    let tried: { worker: ReadingWorker; report: EngineReport } | undefined;
    try {
      // Quietly: films are read by WASM meanwhile.
      if (!(await fetchFiles('webgpu', () => {}))) return stay('failed');
      tried = await this.#prove('webgpu');
      const { selfTest } = tried.report;
      if (!selfTest.ok || selfTest.ms >= wasm.selfTest.ms) {
        tried.worker.terminate();
        return stay(selfTest.ok ? 'slower' : 'wrong');
      }
      const before = this.#open;
      this.#open = { worker: tried.worker, engine: 'webgpu' };
      before?.worker.terminate();
      this.#set({ kind: 'ready', report: tried.report });
    } catch {
      tried?.worker.terminate();
      stay('failed');
    }
  }

  async #prove(engine: Provider): Promise<{ worker: ReadingWorker; report: EngineReport }> {
    const worker = new ReadingWorker();
    try {
      const { selfTest, threads } = await worker.open(engine);
      return { worker, report: { engine, selfTest, threads } };
    } catch (error) {
      // The runtime can not be started twice in one realm: the next try gets a new worker.
      worker.terminate();
      throw error;
    }
  }

  async #fetch(engine: Provider): Promise<boolean> {
    return fetchFiles(engine, (files) => {
      if (files.kind === 'failed') this.#set({ kind: 'failed', reason: files.reason });
      else if (files.kind !== 'ready') this.#set({ kind: 'fetching', files });
    });
  }

  #set(state: ReaderState): void {
    this.state = state;
    this.#onState(state);
  }
}

interface GpuAdapter {
  isFallbackAdapter?: boolean;
  info?: { isFallbackAdapter?: boolean };
}

/** Why WebGPU is not worth a try; undefined when it is. */
async function webGpuObstacle(): Promise<NoWebGpu | undefined> {
  const { gpu } = navigator as { gpu?: { requestAdapter(): Promise<GpuAdapter | null> } };
  const adapter = await gpu?.requestAdapter().catch(() => null);
  if (!adapter) return 'absent';
  const isSoftware = adapter.info?.isFallbackAdapter ?? adapter.isFallbackAdapter ?? false;
  return isSoftware ? 'software' : undefined;
}
