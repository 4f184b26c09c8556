import type { Bundle } from 'fhir/r4';
import type { Provider } from '../../reader/engine.ts';
import type { Reading } from '../../reader/reading.ts';

/** Which model answered, and how: kept with every answer. */
export interface ReadBy {
  engine: Provider;
  modelName: string;
  modelSha256: string;
  threshold: number;
  appVersion: string;
}

/** One film and what was made of it. */
export interface Exam {
  /** UUID, made on this device; the FHIR identifier of its DiagnosticReport. */
  id: string;
  /** ISO 8601. */
  createdAt: string;
  /** What the clinic calls the patient; may be empty. */
  patientReference: string;
  note: string;
  fileName: string;
  reading: Reading;
  readBy: ReadBy;
  thumbnail: Thumbnail;
}

/** A small grey picture for the list. */
export interface Thumbnail {
  width: number;
  height: number;
  grey: Uint8Array;
}

/** Where a record stands on its way to the server. Each word is true: nothing is "sent" unanswered. */
export type SyncState =
  | {
      kind: 'waiting';
      attempts: number;
      /** Milliseconds since 1970 before which it is not tried again. */
      nextAttempt: number;
      lastError?: string;
    }
  | { kind: 'sending'; attempts: number; since: number }
  | { kind: 'acknowledged'; serverId: string; at: string }
  | { kind: 'refused'; reason: string; at: string };

/** A record on its way: the very Bundle that is sent, however often. */
export interface OutboxEntry {
  examId: string;
  bundle: Bundle;
  state: SyncState;
}

/** An exam as lists show it. */
export interface ExamWithSync {
  exam: Exam;
  sync: SyncState;
}

/** What is on the screen and not saved yet: survives a closed tab and an empty battery. */
export interface Draft {
  file: Blob;
  fileName: string;
  patientReference: string;
  note: string;
}
