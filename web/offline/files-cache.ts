/** The cache of the reading files: the page fills it, the service worker answers from it. */
export const FILES_CACHE = 'bellows-reading-files';

/** Whether a path is a reading file's; vite.config.ts names them so. */
export const isReadingFile = (pathname: string): boolean =>
  /^\/assets\/(wasm|webgpu)-(glue|runtime|model)-/.test(pathname);
