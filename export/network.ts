/**
 * The network between TF.js and ONNX: a list of operations in running order, channels first, batch
 * normalisation already folded away. Every writer (float, int8, WebGPU) reads this.
 */
export interface Network {
  /** Rows and columns of the grey image that goes in: float [1, 1, height, width], 0 to 255. */
  input: { name: string; height: number; width: number };
  operations: Operation[];
  /** Name of the operation whose single number is the logit. */
  logit: string;
}

interface Common {
  /** Name of the operation and of its result, after the layer it came from. */
  name: string;
  /** The operation (or network input) it works on. */
  input: string;
  /** Shape of the result without the batch: [channels, height, width] or [features]. */
  shape: readonly number[];
}

/** Rows and columns, or top, left, bottom, right, as ONNX orders them. */
export type Pair = readonly [number, number];
export type Pads = readonly [top: number, left: number, bottom: number, right: number];

/** (x - mean) / (standard deviation + epsilon) over the whole image. */
export interface Standardization extends Common {
  kind: 'standardization';
  epsilon: number;
}

export interface Convolution extends Common {
  kind: 'convolution';
  /** [out, in, rows, columns]. */
  weightShape: readonly [number, number, number, number];
  weight: Float32Array;
  bias: Float32Array;
  strides: Pair;
  dilations: Pair;
  pads: Pads;
  relu: boolean;
}

export interface Dense extends Common {
  kind: 'dense';
  /** [out, in]. */
  weightShape: readonly [number, number];
  weight: Float32Array;
  bias: Float32Array;
  relu: boolean;
}

export interface Addition extends Common {
  kind: 'addition';
  /** The second summand. */
  other: string;
  relu: boolean;
}

/** Average pooling leaves padding out of its count, as TF.js does. */
export interface Pooling extends Common {
  kind: 'average-pooling' | 'max-pooling';
  size: Pair;
  strides: Pair;
  pads: Pads;
}

export interface Padding extends Common {
  kind: 'padding';
  pads: Pads;
}

export interface Plain extends Common {
  kind: 'relu' | 'global-average' | 'flatten';
}

export type Operation =
  Standardization | Convolution | Dense | Addition | Pooling | Padding | Plain;
