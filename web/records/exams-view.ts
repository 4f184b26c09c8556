import { css, html, LitElement, nothing } from 'lit';
import { customElement, state } from 'lit/decorators.js';
import { controls, page } from '../app/styles.ts';
import { formatDate, formatNumber, t } from '../i18n/translate.ts';
import { sendNow } from '../outbox/schedule.ts';
import type { ExamWithSync } from './exam.ts';
import { download, toCsv, toNdjson } from './export-records.ts';
import { listExams, listOutbox, onRecordsChanged } from './records.ts';
import { syncWord } from './sync-words.ts';
import '../film/film-thumbnail.ts';
import '../reading/verdict-mark.ts';

/** Everything that was read and saved here, newest first, each with where it stands. */
@customElement('exams-view')
export class ExamsView extends LitElement {
  static override styles = [
    controls,
    page,
    css`
      .head {
        align-items: center;
        display: flex;
        flex-wrap: wrap;
        gap: var(--space-3);
        justify-content: space-between;
        margin-bottom: var(--space-4);
      }
      ul {
        background: var(--surface);
        border: 1px solid var(--line);
        border-radius: var(--radius);
        list-style: none;
        margin: 0;
        overflow: hidden;
        padding: 0;
      }
      li + li {
        border-top: 1px solid var(--line);
      }
      li a {
        align-items: center;
        color: inherit;
        display: grid;
        gap: var(--space-1) var(--space-4);
        grid-template-columns: 64px minmax(0, 1fr) auto;
        padding: var(--space-3) var(--space-4);
        text-decoration: none;
      }
      li a:hover {
        background: var(--ground);
      }
      li a:focus-visible {
        outline-offset: -4px;
      }
      .who {
        display: grid;
        gap: 2px;
        min-width: 0;
      }
      .who b {
        overflow: hidden;
        text-overflow: ellipsis;
        white-space: nowrap;
      }
      .sync {
        border: 1.5px solid currentColor;
        border-radius: 999px;
        font-size: 0.85rem;
        font-weight: 600;
        padding: 3px 12px;
        white-space: nowrap;
      }
      .sync.acknowledged {
        border-color: transparent;
        color: var(--text-quiet);
      }
      .sync.refused {
        background: var(--attention);
        border-color: var(--attention);
        color: var(--ground);
      }
      .empty {
        display: grid;
        gap: var(--space-4);
        justify-items: center;
        padding: 12vh var(--space-4);
        text-align: center;
      }
      details {
        position: relative;
      }
      summary {
        cursor: pointer;
        list-style: none;
      }
      details > div {
        background: var(--surface);
        border: 1px solid var(--line);
        border-radius: var(--radius);
        box-shadow: 0 4px 16px rgb(0 0 0 / 25%);
        display: grid;
        inset-inline-end: 0;
        margin-top: var(--space-1);
        padding: var(--space-1);
        position: absolute;
        width: max-content;
        z-index: 1;
      }
      details button {
        justify-content: start;
      }
      @media (max-width: 480px) {
        li a {
          grid-template-columns: 64px minmax(0, 1fr);
        }
        .sync {
          grid-column: 2;
          justify-self: start;
        }
      }
    `,
  ];

  @state() private exams: ExamWithSync[] | null = null;
  #unsubscribe = () => {};

  override connectedCallback(): void {
    super.connectedCallback();
    this.#unsubscribe = onRecordsChanged(() => void this.#load());
    void this.#load();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#unsubscribe();
  }

  async #load(): Promise<void> {
    this.exams = await listExams();
  }

  protected override render() {
    const { exams } = this;
    if (!exams) return nothing;
    if (exams.length === 0) {
      return html`<div class="empty">
        <h1>${t('examsEmptyTitle')}</h1>
        <p>${t('examsEmptyText')}</p>
        <a class="button primary" href="#/read">${t('readFirst')}</a>
      </div>`;
    }
    const waiting = exams.some(({ sync }) => sync.kind === 'waiting');
    return html`
      <div class="head">
        <h1>${t('exams')} <span class="quiet">${formatNumber(exams.length)}</span></h1>
        <div class="row">
          ${
            waiting
              ? html`<button class="primary" @click=${() => void sendNow()}>
                  ${t('sendNow')}
                </button>`
              : nothing
          }
          <details>
            <summary class="button">${t('exportRecords')}</summary>
            <div>
              <button class="plain" @click=${this.#exportCsv}>${t('exportCsv')}</button>
              <button class="plain" @click=${this.#exportFhir}>${t('exportFhir')}</button>
            </div>
          </details>
        </div>
      </div>
      <ul>
        ${exams.map((item) => this.#renderItem(item))}
      </ul>
      <p class="quiet foot">${t('secondReading')}</p>
    `;
  }

  #renderItem({ exam, sync }: ExamWithSync) {
    return html`<li>
      <a href="#/exams/${exam.id}">
        <film-thumbnail .thumbnail=${exam.thumbnail}></film-thumbnail>
        <span class="who">
          <b>${exam.patientReference || t('noReference')}</b>
          <verdict-mark .verdict=${exam.reading.verdict}></verdict-mark>
          <small class="quiet">${formatDate(exam.createdAt)}</small>
        </span>
        <span class="sync ${sync.kind}">${syncWord(sync)}</span>
      </a>
    </li>`;
  }

  #exportCsv(): void {
    download(`bellows-${today()}.csv`, 'text/csv', toCsv(this.exams ?? []));
  }

  async #exportFhir(): Promise<void> {
    const bundles = (await listOutbox()).map(({ bundle }) => bundle);
    download(`bellows-${today()}.ndjson`, 'application/fhir+ndjson', toNdjson(bundles));
  }
}

const today = () => new Date().toISOString().slice(0, 10);
