import type { Bundle } from 'fhir/r4';
import { openDatabase, STRICT } from './database.ts';
import type { Draft, Exam, ExamWithSync, OutboxEntry, SyncState } from './exam.ts';

/**
 * The one way to the records. Whatever is put under them later, encryption for one, is put here.
 * Every write has reached the disk when its promise resolves.
 */

/** Tells open views, other tabs and the service worker that records have changed. */
const channel = new BroadcastChannel('bellows-records');
const listeners = new Set<() => void>();
channel.onmessage = () => listeners.forEach((listener) => listener());

/** @returns the way to stop listening. */
export function onRecordsChanged(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function changed(): void {
  channel.postMessage('changed');
  listeners.forEach((listener) => listener());
}

/** A new record, its film and its place in the outbox: all of it or nothing. Ends the draft. */
export async function saveExam(exam: Exam, file: Blob, bundle: Bundle): Promise<void> {
  const database = await openDatabase();
  const stores = ['exams', 'films', 'outbox', 'draft'] as const;
  const transaction = database.transaction(stores, 'readwrite', STRICT);
  const state: SyncState = { kind: 'waiting', attempts: 0, nextAttempt: 0 };
  await Promise.all([
    transaction.objectStore('exams').add(exam),
    transaction.objectStore('films').add({ id: exam.id, file }),
    transaction.objectStore('outbox').add({ examId: exam.id, bundle, state }),
    transaction.objectStore('draft').delete('current'),
    transaction.done,
  ]);
  changed();
}

/** All exams, newest first, each with where it stands. */
export async function listExams(): Promise<ExamWithSync[]> {
  const database = await openDatabase();
  const transaction = database.transaction(['exams', 'outbox']);
  const [exams, entries] = await Promise.all([
    transaction.objectStore('exams').index('createdAt').getAll(),
    transaction.objectStore('outbox').getAll(),
  ]);
  const states = new Map(entries.map(({ examId, state }) => [examId, state]));
  return exams.reverse().map((exam) => ({ exam, sync: states.get(exam.id)! }));
}

/** One exam with its film's file, or null. */
export async function getExam(
  id: string,
): Promise<(ExamWithSync & { file: Blob; bundle: Bundle }) | null> {
  const database = await openDatabase();
  const transaction = database.transaction(['exams', 'films', 'outbox']);
  const [exam, film, entry] = await Promise.all([
    transaction.objectStore('exams').get(id),
    transaction.objectStore('films').get(id),
    transaction.objectStore('outbox').get(id),
  ]);
  if (!exam || !film || !entry) return null;
  return { exam, file: film.file, sync: entry.state, bundle: entry.bundle };
}

/** Takes an exam off this device. @returns everything of it, for `restoreExam`; null if it is gone. */
export async function deleteExam(id: string): Promise<DeletedExam | null> {
  const database = await openDatabase();
  const transaction = database.transaction(['exams', 'films', 'outbox'], 'readwrite', STRICT);
  const [exam, film, entry] = await Promise.all([
    transaction.objectStore('exams').get(id),
    transaction.objectStore('films').get(id),
    transaction.objectStore('outbox').get(id),
  ]);
  for (const store of transaction.objectStoreNames) void transaction.objectStore(store).delete(id);
  await transaction.done;
  changed();
  return exam && film && entry ? { exam, file: film.file, entry } : null;
}

export interface DeletedExam {
  exam: Exam;
  file: Blob;
  entry: OutboxEntry;
}

/** Undoes a deletion. */
export async function restoreExam({ exam, file, entry }: DeletedExam): Promise<void> {
  const database = await openDatabase();
  const transaction = database.transaction(['exams', 'films', 'outbox'], 'readwrite', STRICT);
  await Promise.all([
    transaction.objectStore('exams').put(exam),
    transaction.objectStore('films').put({ id: exam.id, file }),
    transaction.objectStore('outbox').put(entry),
    transaction.done,
  ]);
  changed();
}

/** The outbox, oldest first. */
export async function listOutbox(): Promise<OutboxEntry[]> {
  const database = await openDatabase();
  const exams = await database.getAllFromIndex('exams', 'createdAt');
  const entries = await Promise.all(exams.map(({ id }) => database.get('outbox', id)));
  return entries.filter((entry) => entry !== undefined);
}

/**
 * Moves a record on, if it is still where `from` says: two senders can not both move it.
 * @returns false when it has moved meanwhile, or was deleted.
 */
export async function moveSync(
  examId: string,
  from: SyncState['kind'],
  to: SyncState,
): Promise<boolean> {
  const database = await openDatabase();
  const transaction = database.transaction('outbox', 'readwrite', STRICT);
  const entry = await transaction.store.get(examId);
  if (entry?.state.kind !== from) {
    await transaction.done;
    return false;
  }
  await transaction.store.put({ ...entry, state: to });
  await transaction.done;
  changed();
  return true;
}

export async function readDraft(): Promise<Draft | undefined> {
  return (await openDatabase()).get('draft', 'current');
}

/** Keeps what is on the screen; null when there is nothing to keep. */
export async function writeDraft(draft: Draft | null): Promise<void> {
  const transaction = (await openDatabase()).transaction('draft', 'readwrite', STRICT);
  if (draft) await transaction.store.put(draft, 'current');
  else await transaction.store.delete('current');
  await transaction.done;
}

/** Settings of this device: small texts by name. */
export type Setting = 'token' | 'device-id' | 'engine';

export async function readSetting(name: Setting): Promise<string | undefined> {
  return (await openDatabase()).get('settings', name);
}

export async function writeSetting(name: Setting, value: string | null): Promise<void> {
  const transaction = (await openDatabase()).transaction('settings', 'readwrite', STRICT);
  if (value === null) await transaction.store.delete(name);
  else await transaction.store.put(value, name);
  await transaction.done;
  changed();
}

/** This device's own name for itself, made once: keeps references of two clinics apart. */
export async function deviceId(): Promise<string> {
  const known = await readSetting('device-id');
  if (known) return known;
  const id = crypto.randomUUID();
  await writeSetting('device-id', id);
  return id;
}
