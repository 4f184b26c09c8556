import { css, html, LitElement, svg } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import type { Verdict } from '../../reader/reading.ts';
import { type Message, t } from '../i18n/translate.ts';

const SHAPES = {
  // Filled diamond, open circle, dashed square, crossed square: told apart without any colour.
  pneumonia: svg`<path d="M16 2 30 16 16 30 2 16Z" fill="currentColor" stroke="none" />`,
  'no-pneumonia': svg`<circle cx="16" cy="16" r="12" fill="none" />`,
  uncertain: svg`<rect x="4" y="4" width="24" height="24" fill="none" stroke-dasharray="6 4.5" />`,
  refused: svg`<path d="M4 4h24v24H4ZM9 9l14 14M23 9 9 23" fill="none" />`,
} as const;

const WORDS: Record<Verdict, Message> = {
  pneumonia: 'pneumonia',
  'no-pneumonia': 'noPneumonia',
  uncertain: 'uncertain',
  refused: 'refused',
};

/** A verdict's word in the user's language. */
export const verdictWord = (verdict: Verdict): string => t(WORDS[verdict]);

/** A verdict as shape, word and colour, readable in grey. */
@customElement('verdict-mark')
export class VerdictMark extends LitElement {
  static override styles = css`
    :host {
      align-items: center;
      display: inline-flex;
      font-weight: 600;
      gap: 0.5em;
    }
    svg {
      flex: none;
      height: 1.15em;
      stroke: currentColor;
      stroke-width: 4;
      width: 1.15em;
    }
  `;

  @property() verdict: Verdict = 'uncertain';

  protected override render() {
    return html`<svg viewBox="0 0 32 32" aria-hidden="true">${SHAPES[this.verdict]}</svg
      ><span>${verdictWord(this.verdict)}</span>`;
  }
}
