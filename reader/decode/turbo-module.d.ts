/** The parts used here of libjpeg-turbo's WASM build; the package ships no types. */
interface TurboDecoder {
  /** A view into the WASM heap to copy the file into. */
  getEncodedBuffer(length: number): Uint8Array | Uint8ClampedArray;
  /** Throws a C++ exception (a number) on every libjpeg error and warning. */
  decode(): void;
  /** A view into the WASM heap, valid until the next call. */
  getDecodedBuffer(): Uint8Array | Uint8ClampedArray;
  getFrameInfo(): { width: number; height: number; bitsPerSample: number; componentCount: number };
  delete(): void;
}

interface TurboEncoder {
  getDecodedBuffer(frame: {
    width: number;
    height: number;
    bitsPerSample: number;
    componentCount: number;
    isSigned: boolean;
  }): Uint8Array | Uint8ClampedArray;
  getEncodedBuffer(): Uint8Array | Uint8ClampedArray;
  encode(): void;
  setProgressive(progressive: boolean): void;
  setQuality(quality: number): void;
  setSubSampling(subSampling: number): void;
  delete(): void;
}

interface TurboModule {
  HEAPU8: Uint8Array;
  JPEGDecoder: new () => TurboDecoder;
}

interface TurboOptions {
  locateFile?: (file: string) => string;
  wasmBinary?: ArrayBuffer | Uint8Array;
  print?: (line: string) => void;
  printErr?: (line: string) => void;
}

declare module '@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs' {
  export type { TurboDecoder, TurboModule };
  export default function turbo(options?: TurboOptions): Promise<TurboModule>;
}

declare module '@cornerstonejs/codec-libjpeg-turbo-8bit/wasmjs' {
  export default function turbo(
    options?: TurboOptions,
  ): Promise<TurboModule & { JPEGEncoder: new () => TurboEncoder }>;
}
