import { type DBSchema, type IDBPDatabase, openDB } from 'idb';
import type { Draft, Exam, OutboxEntry } from './exam.ts';

export interface BellowsSchema extends DBSchema {
  exams: { key: string; value: Exam; indexes: { createdAt: string } };
  /** The films themselves, as their files came; apart, so that lists stay light. */
  films: { key: string; value: { id: string; file: Blob } };
  outbox: { key: string; value: OutboxEntry };
  /** One row, `current`. */
  draft: { key: string; value: Draft };
  settings: { key: string; value: string };
  /** Downloads under way: pieces of a file by its address and offset. */
  pieces: { key: [string, number]; value: { url: string; offset: number; bytes: Uint8Array } };
}

export type BellowsDatabase = IDBPDatabase<BellowsSchema>;

let opened: Promise<BellowsDatabase> | undefined;

/** The device's own database, for the page and the service worker alike. */
export function openDatabase(): Promise<BellowsDatabase> {
  opened ??= openDB<BellowsSchema>('bellows', 1, {
    upgrade(database) {
      database.createObjectStore('exams', { keyPath: 'id' }).createIndex('createdAt', 'createdAt');
      database.createObjectStore('films', { keyPath: 'id' });
      database.createObjectStore('outbox', { keyPath: 'examId' });
      database.createObjectStore('draft');
      database.createObjectStore('settings');
      database.createObjectStore('pieces', { keyPath: ['url', 'offset'] });
    },
    // An older tab must not block a newer version of the app.
    blocking(_current, _blocked, event) {
      (event.target as IDBDatabase).close();
      opened = undefined;
    },
    terminated() {
      opened = undefined;
    },
  });
  opened.catch(() => (opened = undefined));
  return opened;
}

/** Chrome answers before data are on the disk unless asked for this. */
export const STRICT = { durability: 'strict' } as const;
