import * as ort from 'onnxruntime-web/wasm';
import { beforeAll, describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../export/onnx.ts';
import type { ModelCard } from '../../reader/card.ts';
import { decodeFilm } from '../../reader/decode/index.ts';
import { ModelError, openEngine, sha256, type Engine } from '../../reader/engine.ts';
import { drawPhantom } from '../../reader/phantom.ts';
import { encodeJpeg } from '../phantom-files.ts';
import { tinyModel } from '../tiny-model.ts';
import { colourPhoto } from './film-files.ts';

ort.env.wasm.numThreads = 1;

let model: Uint8Array;
let card: ModelCard;
let engine: Engine;

beforeAll(async () => {
  ({ model, card } = await tinyModel());
  engine = await openEngine(ort, model, card, { provider: 'wasm' });
});

const phantom = (seed: number, consolidation: number) =>
  drawPhantom({ width: 229, height: 200, seed, consolidation });

/** The card of another model file: same content, its own checksum. */
async function cardFor(bytes: Uint8Array): Promise<ModelCard> {
  const wasm = { ...card.files.wasm, sha256: await sha256(bytes) };
  return { ...card, files: { ...card.files, wasm } };
}

async function modelErrorOf(promise: Promise<unknown>): Promise<ModelError> {
  const error = await promise.catch((e: unknown) => e);
  expect(error).toBeInstanceOf(ModelError);
  return error as ModelError;
}

describe('reading', () => {
  it('tells drawn opacities from drawn healthy lungs', async () => {
    for (let seed = 1; seed <= 5; seed++) {
      const healthy = await engine.read(phantom(seed, 0));
      const ill = await engine.read(phantom(seed, 1));
      expect(ill.probability!).toBeGreaterThan(healthy.probability! + 0.2);
      expect(ill).toMatchObject({ verdict: 'pneumonia', reasons: [] });
      expect(ill.ms).toBeGreaterThan(0);
    }
  });

  it('gives the same probability at every run', async () => {
    const film = phantom(2, 0.4);
    const first = await engine.read(film);
    expect((await engine.read(film)).probability).toBe(first.probability);
  });

  it('takes films of any size', async () => {
    const small = await engine.read(
      drawPhantom({ width: 114, height: 100, seed: 6, consolidation: 0.8 }),
    );
    const large = await engine.read(
      drawPhantom({ width: 912, height: 800, seed: 6, consolidation: 0.8 }),
    );
    expect(Math.abs(small.probability! - large.probability!)).toBeLessThan(0.1);
  });

  it('decides by the card: uncertain inside its band', async () => {
    const film = phantom(1, 1);
    const { probability } = await engine.read(film);
    const band = { threshold: probability!, uncertain: { low: 0.01, high: 1 }, chosenOn: '' };
    const unsure = await openEngine(
      ort,
      model,
      { ...card, operatingPoint: band },
      { provider: 'wasm' },
    );
    expect((await unsure.read(film)).verdict).toBe('uncertain');
    await unsure.close();
  });

  it('refuses a colour photo in words, but still computes its probability', async () => {
    const photo = await decodeFilm(await encodeJpeg(colourPhoto(200, 160)));
    const reading = await engine.read(photo);
    expect(reading.verdict).toBe('refused');
    expect(reading.reasons.map(({ code }) => code)).toEqual(['colour']);
    expect(reading.probability).toBeGreaterThanOrEqual(0);
  });

  it('stays finite on a blank film and refuses it', async () => {
    const grey = new Uint8Array(100 * 100).fill(7);
    const reading = await engine.read({ width: 100, height: 100, grey, colourfulness: 0 });
    expect(reading.verdict).toBe('refused');
    expect(reading.reasons.map(({ code }) => code)).toEqual(['blank']);
    expect(Number.isFinite(reading.probability)).toBe(true);
  });

  it('takes turns when it is asked many things at once', async () => {
    const films = [1, 2, 3, 4].map((seed) => phantom(seed, 0.5));
    const alone = [];
    for (const film of films) alone.push((await engine.read(film)).probability);
    const [together, second] = await Promise.all([
      Promise.all(films.map((film) => engine.read(film))),
      openEngine(ort, model, card, { provider: 'wasm' }),
    ]);
    expect(together.map(({ probability }) => probability)).toEqual(alone);
    await second.close();
  });
});

describe('self-test', () => {
  it('agrees with the card', async () => {
    const { ok, difference } = await engine.selfTest();
    expect(ok).toBe(true);
    expect(difference).toBeLessThan(1e-4);
  });

  it('notices a device that computes something else', async () => {
    const { selfTest } = card;
    const logit = { ...selfTest.logit, wasm: selfTest.logit.wasm + 0.5 };
    const wrong = { ...card, selfTest: { ...selfTest, logit } };
    const other = await openEngine(ort, model, wrong, { provider: 'wasm' });
    const { ok, difference } = await other.selfTest();
    expect(ok).toBe(false);
    expect(difference).toBeCloseTo(0.5, 3);
    await other.close();
  });
});

describe('models that can not be used', () => {
  it('refuses a file with a flipped byte, and reads nothing with it', async () => {
    const flipped = model.slice();
    flipped[flipped.length >> 1]! ^= 1;
    const error = await modelErrorOf(openEngine(ort, flipped, card, { provider: 'wasm' }));
    expect(error.code).toBe('checksum');
    expect(error.message).toContain('damaged');
    expect(error.message).toContain('bellows.onnx');
  });

  it('refuses bytes that are no model even when their card claims them', async () => {
    const junk = new TextEncoder().encode('this is no protobuf, whatever its card says');
    const error = await modelErrorOf(
      openEngine(ort, junk, await cardFor(junk), { provider: 'wasm' }),
    );
    expect(error.code).toBe('unusable');
  });

  it('names the output a foreign model lacks', async () => {
    const graph = new GraphBuilder();
    graph.input('film', 'uint8', ['height', 'width']);
    graph.node('Cast', ['film'], 'out', { to: { int: 1 } });
    graph.output('out', 'float32', ['height', 'width']);
    const foreign = graph.toModel({ name: 'foreign', opset: 18 });
    const opening = openEngine(ort, foreign, await cardFor(foreign), { provider: 'wasm' });
    const error = await modelErrorOf(opening);
    expect(error.code).toBe('unusable');
    expect(error.message).toContain('the output "logit" and the output "probability"');
  });

  it('never takes NaN for "no signs"', async () => {
    const graph = new GraphBuilder();
    graph.input('film', 'uint8', ['height', 'width']);
    graph.node('Cast', ['film'], 'grey', { to: { int: 1 } });
    graph.node('ReduceMean', ['grey'], 'mean', { keepdims: { int: 0 } });
    graph.node('Sub', ['mean', 'mean'], 'zero');
    graph.node('Div', ['zero', 'zero'], 'nan');
    graph.integers('one', [1]);
    graph.node('Reshape', ['nan', 'one'], 'logit');
    graph.node('Sigmoid', ['logit'], 'probability');
    graph.output('logit', 'float32', [1]);
    graph.output('probability', 'float32', [1]);
    const broken = graph.toModel({ name: 'broken', opset: 18 });
    const other = await openEngine(ort, broken, await cardFor(broken), { provider: 'wasm' });
    const error = await modelErrorOf(other.read(phantom(1, 0)));
    expect(error.code).toBe('runtime');
    expect(await other.selfTest()).toEqual({ ok: false, difference: Infinity });
    await other.close();
  });

  it('reads no more after it was closed', async () => {
    const other = await openEngine(ort, model, card, { provider: 'wasm' });
    await other.close();
    expect((await modelErrorOf(other.read(phantom(1, 0)))).code).toBe('runtime');
    expect((await engine.read(phantom(1, 1))).verdict).toBe('pneumonia');
  });
});
