import { en } from './en.ts';

/** A language is a file like `en.ts` with the same keys, listed here: the compiler checks both. */
const LANGUAGES: Record<string, Record<keyof typeof en, string>> = { en };

export type Message = keyof typeof en;

const language =
  navigator.languages.map((tag) => tag.split('-')[0]!).find((tag) => tag in LANGUAGES) ?? 'en';

document.documentElement.lang = language;

/** A message in the user's language, `{name}` replaced by `values.name`. */
export function t(message: Message, values: Record<string, string | number> = {}): string {
  return LANGUAGES[language]![message].replace(/\{(\w+)\}/g, (hole, name: string) =>
    name in values ? String(values[name]) : hole,
  );
}

const numbers = new Intl.NumberFormat(language);
const dates = new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'short' });
const times = new Intl.DateTimeFormat(language, { timeStyle: 'short' });

/** A number as people of this language write it. */
export function formatNumber(value: number, digits = 0): string {
  return digits === 0
    ? numbers.format(Math.round(value))
    : new Intl.NumberFormat(language, {
        minimumFractionDigits: digits,
        maximumFractionDigits: digits,
      }).format(value);
}

/** @param at ISO 8601 text or milliseconds since 1970. */
export const formatDate = (at: string | number): string => dates.format(new Date(at));
export const formatTime = (at: string | number): string => times.format(new Date(at));
