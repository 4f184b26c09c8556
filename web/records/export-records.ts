import type { Bundle } from 'fhir/r4';
import type { ExamWithSync } from './exam.ts';

const COLUMNS = [
  'id',
  'created_at',
  'patient_reference',
  'verdict',
  'probability',
  'reasons',
  'note',
  'file',
  'model',
  'engine',
  'sync',
  'server_id',
] as const;

/** The exams as a table: RFC 4180, UTF-8 with a mark so that spreadsheets recognise it. */
export function toCsv(exams: ExamWithSync[]): string {
  const rows = exams.map(({ exam, sync }) => [
    exam.id,
    exam.createdAt,
    exam.patientReference,
    exam.reading.verdict,
    exam.reading.probability === null ? '' : exam.reading.probability.toFixed(4),
    exam.reading.reasons.map(({ code }) => code).join(' '),
    exam.note,
    exam.fileName,
    exam.readBy.modelName,
    exam.readBy.engine,
    sync.kind,
    sync.kind === 'acknowledged' ? sync.serverId : '',
  ]);
  return '\ufeff' + [COLUMNS, ...rows].map((row) => row.map(cell).join(',') + '\r\n').join('');
}

/** Text that begins like a formula is kept from being one (OWASP, CSV injection). */
function cell(value: string): string {
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** The very Bundles the outbox sends, one a line: a server can take them from a file as well. */
export function toNdjson(bundles: Bundle[]): string {
  return bundles.map((bundle) => JSON.stringify(bundle) + '\n').join('');
}

/** Hands text to the user as a file. */
export function download(name: string, type: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = Object.assign(document.createElement('a'), { href: url, download: name });
  link.click();
  // The browser needs the address until it has begun to write.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
