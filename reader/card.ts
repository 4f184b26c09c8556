/** A value with its 95 % bootstrap interval. */
export interface Estimate {
  value: number;
  low: number;
  high: number;
}

/** The metrics every evaluation reports; the JSON contract of `bellows evaluate`. */
export interface Metrics {
  /** Images counted. */
  n: number;
  auc: Estimate;
  accuracy: Estimate;
  sensitivity: Estimate;
  specificity: Estimate;
  /** Mean squared error of the probability (Brier 1950). */
  brier: Estimate;
  /** Expected calibration error, 10 equal-width bins (Guo et al. 2017). */
  ece: Estimate;
  /** Probability from which a film counts as positive. */
  threshold: number;
  confusion: { tp: number; fp: number; tn: number; fn: number };
}

/** One ONNX file and how to know it. */
export interface ModelFile {
  /** File name beside the card. */
  file: string;
  /** Hex SHA-256 of the file. */
  sha256: string;
  bytes: number;
  /** For instance `int8 QDQ`, `fp16 weights`. */
  precision: string;
  opset: number;
}

/** The model card: written by the exporter, read by everything that runs the model. */
export interface ModelCard {
  /** Version of this card's format. */
  format: 1;
  /** For instance `bellows-2026.11.23`. */
  name: string;
  /** ISO 8601 date of the export. */
  date: string;
  files: { wasm: ModelFile; webgpu: ModelFile };
  inputs: { name: string; type: 'uint8'; shape: ['height', 'width'] }[];
  outputs: { name: string; type: 'float32'; shape: [1] }[];
  operatingPoint: {
    /** Probability from which the answer is "signs of pneumonia". */
    threshold: number;
    /** Between these probabilities the answer is "uncertain: ask a doctor". */
    uncertain: { low: number; high: number };
    /** How and on what it was chosen. */
    chosenOn: string;
  };
  /** Platt scaling (1999), already inside the graph: logit = slope * raw + offset. */
  calibration: { slope: number; offset: number; fittedOn: string };
  training: {
    data: string;
    licence: string;
    /** Counts after unreadable files were set aside. */
    images: { train: number; validation: number };
    patients: { train: number; validation: number };
    /** Share of pneumonia in the training images. */
    prevalence: number;
    seed: number;
    epochs: number;
    backend: string;
    /** Hex SHA-256 over the training weights. */
    weights: string;
  };
  /** Metrics of the int8 file, by data set name. */
  metrics: Record<string, Metrics>;
  /** What the exporter measured between TF.js, fp32 and shipped ONNX on the same images. */
  parity: {
    images: number;
    fp32MaxLogitDifference: number;
    fp32Auc: number;
    int8Auc: number;
    webgpuAuc: number;
  };
  /** A drawn picture with its known answer: each device proves its engine on it. */
  selfTest: {
    width: number;
    height: number;
    /** Base64 of the grey pixels. */
    grey: string;
    logit: { wasm: number; webgpu: number };
    /** Largest accepted difference in logits. */
    tolerance: number;
  };
  /** Ages in years the model was trained on. */
  ages: { low: number; high: number };
  limits: string[];
  versions: Record<string, string>;
}

/** A card that can not be used: what is missing, and what to do. */
export class CardError extends Error {
  override name = 'CardError';
}

/**
 * Checks that parsed JSON is a model card this code can use.
 * @throws CardError naming the first field that is missing or of the wrong kind.
 */
export function parseCard(json: unknown): ModelCard {
  const card = json as ModelCard;
  const fail = (what: string): never => {
    throw new CardError(`The model card lacks ${what}. Export the model again with this version.`);
  };
  if (typeof card !== 'object' || card === null || card.format !== 1) fail('"format": 1');
  for (const kind of ['wasm', 'webgpu'] as const) {
    if (!/^[0-9a-f]{64}$/.test(card.files?.[kind]?.sha256 ?? '')) fail(`files.${kind}.sha256`);
  }
  const { threshold, uncertain } = card.operatingPoint ?? {};
  if (!(threshold > 0 && threshold < 1)) fail('operatingPoint.threshold between 0 and 1');
  if (!(uncertain?.low <= threshold && threshold <= uncertain?.high)) {
    fail('operatingPoint.uncertain around the threshold');
  }
  if (typeof card.selfTest?.grey !== 'string') fail('selfTest');
  return card;
}
