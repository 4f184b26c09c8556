import { randomUUID } from 'node:crypto';
import type { Bundle } from 'fhir/r4';
import type { Exam } from '../../web/records/exam.ts';
import { examBundle, newBundleIds } from '../../web/outbox/bundle.ts';

/** An exam as the app makes it. */
export function makeExam(overrides: Partial<Exam> = {}): Exam {
  return {
    id: randomUUID(),
    createdAt: '2026-11-23T08:15:00.000Z',
    patientReference: `K-${randomUUID().slice(0, 8)}`,
    note: 'Fast breathing for two days.',
    fileName: 'film.jpeg',
    reading: { verdict: 'pneumonia', probability: 0.9134, reasons: [], ms: 21 },
    readBy: {
      engine: 'wasm',
      modelName: 'bellows-test',
      modelSha256: 'a'.repeat(64),
      threshold: 0.5,
      appVersion: '0.1.0',
    },
    thumbnail: { width: 1, height: 1, grey: Uint8Array.of(0) },
    ...overrides,
  };
}

/** The very Bundle the app sends for an exam. */
export function makeBundle(overrides: Partial<Exam> = {}): Bundle {
  return examBundle(makeExam(overrides), 'test-device', newBundleIds());
}
