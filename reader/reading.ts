import type { ModelCard } from './card.ts';
import { type Film, greyStatistics } from './film.ts';

/** The answer to one film. */
export type Verdict = 'pneumonia' | 'no-pneumonia' | 'uncertain' | 'refused';

/** Why a readable picture is not judged. Film errors (`FilmErrorCode`) are reasons too. */
export type RefusalCode = 'colour' | 'blank';

/** A reason for a refusal: a stable code and a sentence that says what to do. */
export interface Reason {
  code: string;
  message: string;
}

/** What the model says of one film: the result type of trainer, command line and browser. */
export interface Reading {
  verdict: Verdict;
  /** Calibrated probability of pneumonia, 0 to 1; null when the file could not be read at all. */
  probability: number | null;
  /** Empty unless refused. */
  reasons: Reason[];
  /** Milliseconds the model took for this film, decoding excluded. */
  ms: number;
}

/** What to do about each refusal, in plain words. */
export const REFUSALS: Record<RefusalCode, string> = {
  colour: 'This is a colour picture, not an X-ray film. Choose the picture of the film.',
  blank: 'There is nothing to see in this picture. Take it again with the light box on.',
};

/** Mean colour spread (grey levels) above which a picture is no film: tinted scans stay below. */
const MAX_COLOURFULNESS = 12;

/** Standard deviation (grey levels) under which a picture is blank. */
const MIN_CONTRAST = 4;

/** Plain checks of the picture itself, before the model is asked. Empty when it may be judged. */
export function refusals(film: Film): Reason[] {
  const reasons: RefusalCode[] = [];
  if (film.colourfulness > MAX_COLOURFULNESS) reasons.push('colour');
  if (greyStatistics(film).deviation < MIN_CONTRAST) reasons.push('blank');
  return reasons.map((code) => ({ code, message: REFUSALS[code] }));
}

/** The answer at an operating point: inside the uncertain band the model does not decide. */
export function verdictAt(
  probability: number,
  { threshold, uncertain }: ModelCard['operatingPoint'],
): Verdict {
  if (probability >= uncertain.low && probability < uncertain.high) return 'uncertain';
  return probability >= threshold ? 'pneumonia' : 'no-pneumonia';
}
