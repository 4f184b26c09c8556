import { files } from 'virtual:reading-files';
import type { Provider } from '../../reader/engine.ts';
import { openDatabase } from '../records/database.ts';
import { FILES_CACHE } from './files-cache.ts';

/** A file the app fetches and keeps itself: too large for the shell's all-or-nothing precache. */
export interface ReadingFile {
  role: `${Provider}-${'glue' | 'runtime' | 'model'}`;
  engine: Provider;
  /** Holds the file's hash: another version is another address. */
  url: string;
  bytes: number;
  /** Hex. */
  sha256: string;
}

export const READING_FILES: readonly ReadingFile[] = files;

/** How far the files of an engine are. */
export type FilesState =
  | { kind: 'checking' }
  | { kind: 'downloading'; done: number; total: number }
  | { kind: 'ready'; bytes: number }
  /** The line broke: what came is kept, and it goes on when the network is back. */
  | { kind: 'interrupted'; done: number; total: number }
  | { kind: 'failed'; reason: string };

export function filesOf(engine: Provider): ReadingFile[] {
  return READING_FILES.filter((file) => file.engine === engine);
}

/** What is kept of a file is fetched in pieces of this size, each written down as it comes. */
const PIECE_BYTES = 1 << 20;

/** A fetched file that is not what it should be, twice in a row. */
class DamagedError extends Error {
  override name = 'DamagedError';
}

/**
 * Brings an engine's files onto the device: each goes on where it stopped, is checked against its
 * SHA-256 and only then put into the cache. One tab does it; another waits and finds them there.
 * @param onState told of every step; the last word is `ready`, `interrupted` or `failed`.
 * @param old whether the files of other versions may go: not while one of them is still in use.
 */
export async function fetchFiles(
  engine: Provider,
  onState: (state: FilesState) => void,
  old: 'drop-old' | 'keep-old' = 'drop-old',
): Promise<boolean> {
  onState({ kind: 'checking' });
  return navigator.locks.request(`bellows-files-${engine}`, () =>
    fetchLocked(engine, onState, old),
  );
}

async function fetchLocked(
  engine: Provider,
  onState: (state: FilesState) => void,
  old: 'drop-old' | 'keep-old',
): Promise<boolean> {
  const wanted = filesOf(engine);
  const total = wanted.reduce((sum, { bytes }) => sum + bytes, 0);
  const done = new Map<string, number>();
  const sum = () => [...done.values()].reduce((a, b) => a + b, 0);
  try {
    const cache = await caches.open(FILES_CACHE);
    for (const file of wanted) {
      const kept = (await cache.match(file.url)) ? file.bytes : await keptBytes(file.url);
      done.set(file.url, kept);
    }
    for (const file of wanted) {
      if (await cache.match(file.url)) continue;
      const report = (bytes: number) => {
        done.set(file.url, bytes);
        onState({ kind: 'downloading', done: sum(), total });
      };
      report(done.get(file.url)!);
      await cache.put(file.url, await fetchFile(file, report));
      await dropPieces(file.url);
    }
    if (old === 'drop-old') await dropOldVersions(cache);
    onState({ kind: 'ready', bytes: total });
    return true;
  } catch (error) {
    const { name, message } = error as Error;
    if (name === 'DamagedError') {
      onState({ kind: 'failed', reason: message });
    } else if (name === 'QuotaExceededError') {
      onState({
        kind: 'failed',
        reason: 'There is no room left on this device. Make room, then try again.',
      });
    } else {
      onState({ kind: 'interrupted', done: sum(), total });
    }
    return false;
  }
}

/** Fetches what is missing of a file; a damaged result is thrown away and fetched once more. */
async function fetchFile(file: ReadingFile, report: (bytes: number) => void): Promise<Response> {
  for (let attempt = 1; ; attempt++) {
    await fetchPieces(file, report);
    const blob = new Blob((await readPieces(file.url)) as BlobPart[]);
    const digest = await crypto.subtle.digest('SHA-256', await blob.arrayBuffer());
    if (hex(digest) === file.sha256) return asResponse(blob, file.url);
    await dropPieces(file.url);
    if (attempt === 2) {
      throw new DamagedError(
        `${file.url} arrived damaged twice. Nothing was installed; try again on another network.`,
      );
    }
  }
}

async function fetchPieces(file: ReadingFile, report: (bytes: number) => void): Promise<void> {
  let offset = await keptBytes(file.url);
  if (offset >= file.bytes) return;
  const response = await fetch(file.url, {
    // Past the browser's own cache: it must not answer a range with what it has half of.
    cache: 'no-store',
    ...(offset > 0 && { headers: { range: `bytes=${offset}-` } }),
  });
  if (!response.ok || !response.body) throw new Error(`${file.url}: ${response.status}`);
  if (offset > 0 && response.status !== 206) {
    // A server without ranges starts again from the beginning, and so do we.
    await dropPieces(file.url);
    offset = 0;
  }
  const reader = response.body.getReader();
  let piece = new Uint8Array(PIECE_BYTES);
  let filled = 0;
  const flush = async () => {
    if (filled === 0) return;
    await writePiece(file.url, offset, piece.slice(0, filled));
    offset += filled;
    filled = 0;
    piece = new Uint8Array(PIECE_BYTES);
  };
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      for (let at = 0; at < value.length;) {
        const part = value.subarray(at, at + PIECE_BYTES - filled);
        piece.set(part, filled);
        filled += part.length;
        at += part.length;
        if (filled === PIECE_BYTES) await flush();
      }
      report(offset + filled);
    }
  } finally {
    // What came before the line broke counts.
    await flush();
  }
  if (offset < file.bytes) throw new Error(`${file.url} was cut off.`);
}

async function keptBytes(url: string): Promise<number> {
  const pieces = await readPieces(url);
  return pieces.reduce((sum, piece) => sum + piece.length, 0);
}

async function readPieces(url: string): Promise<Uint8Array[]> {
  const database = await openDatabase();
  const pieces = await database.getAll('pieces', piecesOf(url));
  return pieces.map(({ bytes }) => bytes);
}

async function writePiece(url: string, offset: number, bytes: Uint8Array): Promise<void> {
  await (await openDatabase()).put('pieces', { url, offset, bytes });
}

async function dropPieces(url: string): Promise<void> {
  await (await openDatabase()).delete('pieces', piecesOf(url));
}

const piecesOf = (url: string) => IDBKeyRange.bound([url, 0], [url, Infinity]);

/** Only once the new files are all there, the old ones go. */
async function dropOldVersions(cache: Cache): Promise<void> {
  const current = new Set(READING_FILES.map(({ url }) => url));
  for (const request of await cache.keys()) {
    if (!current.has(new URL(request.url).pathname)) await cache.delete(request);
  }
  const database = await openDatabase();
  for (const key of await database.getAllKeys('pieces')) {
    if (!current.has(key[0])) await database.delete('pieces', key);
  }
}

/** From the cache a file needs the headers the server would have sent: type, and isolation. */
function asResponse(blob: Blob, url: string): Response {
  const type = url.endsWith('.wasm')
    ? 'application/wasm'
    : url.endsWith('.mjs')
      ? 'text/javascript'
      : 'application/octet-stream';
  return new Response(blob, {
    headers: {
      'content-type': type,
      'content-length': String(blob.size),
      'cross-origin-embedder-policy': 'require-corp',
      'cross-origin-resource-policy': 'same-origin',
    },
  });
}

function hex(buffer: ArrayBuffer): string {
  return Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
