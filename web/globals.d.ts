/// <reference types="vite-plugin-pwa/vanillajs" />

/** The application's version, from package.json. */
declare const __VERSION__: string;

declare module 'virtual:reading-files' {
  import type { ReadingFile } from './offline/files.ts';
  export const files: ReadingFile[];
  /** The model card as it is in the file: to be parsed. */
  export const card: unknown;
}
