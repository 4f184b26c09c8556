import type { Provider } from '../../reader/engine.ts';
import type { Film } from '../../reader/film.ts';
import type { Reading } from '../../reader/reading.ts';
import type { Answer, Request, SelfTest } from './worker.ts';

/** A file that is no readable film: `code` is stable, `message` is for people. */
export class UnreadableFilm extends Error {
  override name = 'UnreadableFilm';
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

type Question = Request extends infer R
  ? R extends { id: number }
    ? Omit<R, 'id'>
    : never
  : never;
type Reply<K extends Answer['kind']> = Extract<Answer, { kind: K }>;

/** One worker with one engine: questions go in, answers come back in any order. */
export class ReadingWorker {
  readonly #worker = new Worker(new URL('./worker.ts', import.meta.url), {
    type: 'module',
    name: 'reading',
  });
  readonly #waiting = new Map<
    number,
    { resolve(answer: Answer): void; reject(error: Error): void }
  >();
  #next = 0;

  constructor() {
    this.#worker.onmessage = ({ data }: MessageEvent<Answer>) => {
      const waiting = this.#waiting.get(data.id);
      this.#waiting.delete(data.id);
      if (data.kind !== 'error') return waiting?.resolve(data);
      const { of, code, message } = data;
      waiting?.reject(of === 'film' ? new UnreadableFilm(code, message) : new Error(message));
    };
    this.#worker.onerror = ({ message }) => {
      this.#fail(new Error(message || 'The reading part of the app could not be started.'));
    };
  }

  open(engine: Provider): Promise<{ selfTest: SelfTest; threads: number }> {
    return this.#ask({ kind: 'open', engine }, 'opened');
  }

  async decode(bytes: ArrayBuffer): Promise<Film> {
    return (await this.#ask({ kind: 'decode', bytes }, 'decoded', [bytes])).film;
  }

  async read(film: Film): Promise<Reading> {
    return (await this.#ask({ kind: 'read', film }, 'read')).reading;
  }

  /** Ends the worker and gives its memory back; open questions fail. */
  terminate(): void {
    this.#worker.terminate();
    this.#fail(new DOMException('The reading was cancelled.', 'AbortError'));
  }

  #fail(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }

  #ask<K extends Answer['kind']>(
    question: Question,
    _kind: K,
    transfer: Transferable[] = [],
  ): Promise<Reply<K>> {
    return new Promise((resolve, reject) => {
      const id = this.#next++;
      this.#waiting.set(id, { resolve: resolve as (answer: Answer) => void, reject });
      this.#worker.postMessage({ ...question, id }, transfer);
    });
  }
}
