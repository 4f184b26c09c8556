import { readFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CardError, parseCard, type ModelCard } from '../reader/card.ts';
import { MODEL_FILES } from '../reader/contract.ts';
import { ModelError, openEngine, sha256, type Engine } from '../reader/engine.ts';
import { requireFile } from './paths.ts';

/** The model that ships with this checkout. */
const SHIPPED = fileURLToPath(new URL(`../model/${MODEL_FILES.wasm}`, import.meta.url));

/** A model on disk, ready to read. */
export interface OpenModel {
  engine: Engine;
  card: ModelCard;
  /** Path of the ONNX file as people would name it. */
  path: string;
}

/**
 * Opens an ONNX file by the card beside it, through onnxruntime-web's WASM on one thread: the same
 * arithmetic as on a tablet, and the same answer at every run. The card's self-test is run first.
 * @param path the ONNX file; the shipped model by default.
 * @throws UsageError when `path` does not exist, CardError, ModelError.
 */
export async function openModel(path?: string): Promise<OpenModel> {
  if (path !== undefined) await requireFile(path);
  const file = path ?? SHIPPED;
  const model = await readFile(file).catch(() => {
    throw new ModelError(
      'unusable',
      `There is no model at ${relative('.', file)} yet. Train and export one, or name a file with --model.`,
    );
  });
  const card = await readCard(join(dirname(file), MODEL_FILES.card), file);

  const ort = await import('onnxruntime-web/wasm');
  ort.env.wasm.numThreads = 1;
  // A model folder holds two files, and either may be named; both run on WASM here.
  const hash = await sha256(model);
  const isWebgpu = hash === card.files.webgpu.sha256 && hash !== card.files.wasm.sha256;
  const which = isWebgpu ? 'webgpu' : 'wasm';
  const engine = await openEngine(ort, model, card, { provider: 'wasm', file: which });
  const { ok, difference } = await engine.selfTest();
  if (!ok) {
    await engine.close();
    throw new ModelError(
      'runtime',
      `The model ${relative('.', file)} fails its self-test: its logit is off by ` +
        `${difference.toPrecision(3)} (at most ${card.selfTest.tolerance} is accepted). Export it again.`,
    );
  }
  return { engine, card, path: relative('.', file) };
}

async function readCard(path: string, model: string): Promise<ModelCard> {
  const text = await readFile(path, 'utf8').catch(() => {
    throw new CardError(
      `There is no ${MODEL_FILES.card} beside ${relative('.', model)}. ` +
        'A model is read by its card: copy both files of the export.',
    );
  });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new CardError(`The model card ${relative('.', path)} is no JSON. Export it again.`, {
      cause,
    });
  }
  return parseCard(json);
}
