import type * as TensorFlow from '@tensorflow/tfjs';

/** The TensorFlow.js API, whichever engine runs it. */
export type TF = typeof TensorFlow;
