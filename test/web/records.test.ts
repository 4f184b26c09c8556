import { describe, expect, it } from 'vitest';
import { toCsv, toNdjson } from '../../web/records/export-records.ts';
import type { ExamWithSync } from '../../web/records/exam.ts';
import { makeBundle, makeExam } from '../server/exam.ts';

const WAITING = { kind: 'waiting', attempts: 0, nextAttempt: 0 } as const;

/** RFC 4180, read independently of how it was written. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [[]];
  const cells = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|$)/gy;
  for (const [, quoted, plain, end] of text.matchAll(cells)) {
    rows.at(-1)!.push(quoted?.replaceAll('""', '"') ?? plain!);
    if (end === '\r\n') rows.push([]);
    if (end === '') break;
  }
  expect(rows.pop()).toEqual(['']);
  return rows;
}

function table(exams: ExamWithSync[]): Record<string, string>[] {
  const text = toCsv(exams);
  expect(text.startsWith('\ufeff')).toBe(true);
  const [names, ...rows] = parseCsv(text.slice(1));
  return rows.map((row) => Object.fromEntries(names!.map((name, i) => [name, row[i]!])));
}

describe('the table', () => {
  it('gives back every text as it was', () => {
    const note = 'He said "cough", then\r\nnothing; Ä, 咳';
    const exam = makeExam({ note, fileName: 'a,b.jpeg' });
    const sync = { kind: 'acknowledged', serverId: 'r-1', at: exam.createdAt } as const;
    expect(
      table([
        { exam, sync },
        { exam: makeExam(), sync: WAITING },
      ]),
    ).toMatchObject([
      {
        id: exam.id,
        note,
        file: 'a,b.jpeg',
        probability: '0.9134',
        sync: 'acknowledged',
        server_id: 'r-1',
      },
      { sync: 'waiting', server_id: '' },
    ]);
  });

  it('leaves the probability of an unread film empty, and says why', () => {
    const reasons = [
      { code: 'colour', message: 'A colour picture.' },
      { code: 'blank', message: 'Nothing to see.' },
    ];
    const exam = makeExam({ reading: { verdict: 'refused', probability: null, reasons, ms: 1 } });
    expect(table([{ exam, sync: WAITING }])).toMatchObject([
      { verdict: 'refused', probability: '', reasons: 'colour blank' },
    ]);
  });

  it.each(['=1+1', '+1', '-1', '@SUM(A1)', '\tx', '\rx', '=HYPERLINK("http://x","y")'])(
    'keeps %j from being a formula',
    (text) => {
      const exam = makeExam({ patientReference: text, note: text, fileName: text });
      const [row] = table([{ exam, sync: WAITING }]);
      for (const name of ['patient_reference', 'note', 'file']) expect(row![name]).toBe(`'${text}`);
    },
  );

  it('has its heading even without exams', () => {
    expect(toCsv([])).toMatch(/^\ufeffid,created_at,.*\r\n$/);
  });
});

it('FHIR records are the Bundles themselves, one a line', () => {
  const bundles = [makeBundle({ note: 'two\nlines' }), makeBundle()];
  const lines = toNdjson(bundles).split('\n');
  expect(lines.pop()).toBe('');
  expect(lines.map((line) => JSON.parse(line))).toEqual(bundles);
});
