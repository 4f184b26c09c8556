/**
 * The model's contract: what goes into the ONNX file and what comes out. The exporter writes it,
 * the trainer prepares its films by it, every reader calls it.
 */
export const CONTRACT = {
  /** uint8 [height, width], any size: a film's grey pixels as decoded. */
  input: 'film',
  /** float32 [1]: calibrated log-odds of pneumonia at equal priors. */
  logit: 'logit',
  /** float32 [1]: sigmoid(logit). */
  probability: 'probability',
} as const;

/**
 * Preprocessing, carried out by the first nodes of the ONNX graph:
 * film -> antialiased linear Resize to `resizeTo` square (aspect ratio not kept, as in the
 * training films) -> central crop to `inputSize` square (the film's edge carries markers, not
 * lung) -> minus the mean, over the standard deviation + `epsilon`, of this one image.
 */
export const PREPROCESSING = {
  /** Side of the square after the resize, in pixels. */
  resizeTo: 208,
  /** Side of the square the network sees, in pixels: 4 % of the film are cropped all round. */
  inputSize: 192,
  /** Added to the standard deviation (in grey levels, 0 to 255): a blank film stays finite. */
  epsilon: 1,
} as const;

/** File names inside a model folder (`model/` in the repository, `RUN/export` after an export). */
export const MODEL_FILES = {
  /** Static int8 QDQ, for WASM. */
  wasm: 'bellows.onnx',
  /** Weight-compressed, for WebGPU, which has no int8 convolution. */
  webgpu: 'bellows-webgpu.onnx',
  card: 'card.json',
} as const;
