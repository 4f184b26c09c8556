import { css, html, LitElement, nothing } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import type { Reading } from '../../reader/reading.ts';
import { engineName } from '../app/engine-name.ts';
import { formatNumber, t } from '../i18n/translate.ts';
import type { ReadBy } from '../records/exam.ts';
import './verdict-mark.ts';

/** What the model says of a film: shape, word, number, and that the decision is the reader's. */
@customElement('answer-card')
export class AnswerCard extends LitElement {
  static override styles = css`
    :host {
      color: var(--room-text);
      display: grid;
      gap: var(--space-3);
    }
    p {
      margin: 0;
    }
    verdict-mark {
      font-size: 1.45rem;
      line-height: 1.2;
    }
    .number {
      align-items: baseline;
      display: flex;
      justify-content: space-between;
    }
    .number b {
      font-size: 1.2rem;
    }
    .pneumonia {
      color: var(--signs);
    }
    .no-pneumonia {
      color: var(--no-signs);
    }
    .uncertain {
      color: var(--unsure);
    }
    .refused {
      color: var(--room-quiet);
    }
    svg {
      display: block;
      height: 24px;
      width: 100%;
    }
    .track {
      fill: var(--room-line);
    }
    .threshold {
      fill: var(--room-text);
    }
    .quiet {
      color: var(--room-quiet);
      font-size: 0.9rem;
    }
    .reminder {
      border-inline-start: 3px solid var(--room-quiet);
      font-weight: 600;
      padding-inline-start: var(--space-3);
    }
  `;

  @property({ attribute: false }) reading!: Reading;
  @property({ attribute: false }) readBy!: ReadBy;

  protected override render() {
    const { reading, readBy } = this;
    const { verdict, probability, reasons } = reading;
    return html`
      <verdict-mark class=${verdict} .verdict=${verdict}></verdict-mark>
      ${reasons.map(({ message }) => html`<p>${message}</p>`)}
      ${
        verdict !== 'refused' && probability !== null
          ? this.#renderProbability(probability)
          : nothing
      }
      <p class="reminder">${t('secondReading')}</p>
      <p class="quiet">
        ${t('howRead', {
          model: readBy.modelName,
          engine: engineName(readBy.engine),
          ms: formatNumber(reading.ms),
        })}
      </p>
    `;
  }

  #renderProbability(probability: number) {
    const percent = percentText(probability);
    const threshold = this.readBy.threshold * 100;
    return html`
      <p class="number">
        <span>${t('probability')}</span><b data-testid="probability">${percent}</b>
      </p>
      <svg
        class=${this.reading.verdict}
        viewBox="0 0 100 24"
        preserveAspectRatio="none"
        aria-hidden="true"
      >
        <rect class="track" y="6" width="100" height="12" rx="1" />
        <rect
          y="6"
          width=${Math.max(1, probability * 100)}
          height="12"
          rx="1"
          fill="currentColor"
        />
        <rect class="threshold" x=${threshold - 0.4} width="0.8" height="24" />
      </svg>
      <p class="quiet">
        ${t('probabilityText', { n: percent })} ${t('thresholdAt', { n: formatNumber(threshold) })}
      </p>
    `;
  }
}

/** A model is never certain: the ends of the scale are not rounded to 0 and 100. */
function percentText(probability: number): string {
  if (probability >= 0.99) return t('over99');
  if (probability < 0.01) return t('under1');
  return t('percent', { n: formatNumber(probability * 100) });
}
