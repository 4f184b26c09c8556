import turbo, { type TurboModule } from '@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs';

/** Where libjpeg-turbo's WASM file is; Node finds it in its package without being told. */
export interface JpegOptions {
  /** Address of the package's `decodewasm` file, for instance from Vite's `?url` import. */
  wasmUrl?: string;
  /** The same file's bytes, where they are at hand already. */
  wasmBinary?: Uint8Array;
}

/** WASM memory never shrinks: above this many bytes the module is dropped after use. */
const KEPT_HEAP = 256 * 2 ** 20;

let options: JpegOptions = {};
let loading: Promise<TurboModule> | undefined;

/**
 * Says where the JPEG decoder's WASM is. Call once per realm before the first `decodeFilm`:
 *
 *     import wasmUrl from '@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasm?url';
 *     configureJpeg({ wasmUrl });
 *
 * That file (299 KB, 101 KB gzipped) belongs into the offline cache: without it no JPEG is read
 * offline. It is compiled under a Content-Security-Policy with 'wasm-unsafe-eval' alone; the
 * glue code evaluates no strings.
 */
export function configureJpeg(next: JpegOptions): void {
  options = next;
  loading = undefined;
}

/** The decoder's module, loaded at the first call. A failed load is tried again at the next. */
export async function loadTurbo(): Promise<TurboModule> {
  const { wasmUrl, wasmBinary } = options;
  loading ??= turbo({
    ...(wasmUrl === undefined ? {} : { locateFile: () => wasmUrl }),
    ...(wasmBinary === undefined ? {} : { wasmBinary }),
    print: () => {},
    printErr: () => {},
  });
  try {
    return await loading;
  } catch (cause) {
    loading = undefined;
    throw new Error(
      'The JPEG decoder could not be loaded. Connect once more so that it can be fetched.',
      { cause },
    );
  }
}

/** Gives the memory of an unusually large picture back. */
export function releaseTurbo(module: TurboModule): void {
  if (module.HEAPU8.length > KEPT_HEAP) loading = undefined;
}
