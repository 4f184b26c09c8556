import { css, html, LitElement, nothing, type PropertyValues } from 'lit';
import { customElement, property, query, state } from 'lit/decorators.js';
import type { Film } from '../../reader/film.ts';
import { notify } from '../app/notify.ts';
import { controls, room } from '../app/styles.ts';
import { formatDate, formatNumber, t } from '../i18n/translate.ts';
import { retryRefused } from '../outbox/drain.ts';
import { sendNow } from '../outbox/schedule.ts';
import type { Reader } from '../reading/reader.ts';
import { deleteExam, getExam, onRecordsChanged, restoreExam } from './records.ts';
import { syncText, syncWord } from './sync-words.ts';
import '../film/film-viewer.ts';
import '../reading/answer-card.ts';

type Loaded = NonNullable<Awaited<ReturnType<typeof getExam>>>;

/** One exam: its film, its answer, its note, and where its record stands. */
@customElement('exam-view')
export class ExamView extends LitElement {
  static override styles = [
    controls,
    room,
    css`
      :host {
        display: grid;
        grid-template: minmax(0, 1fr) / minmax(0, 1fr) 360px;
        height: 100%;
      }
      .gone {
        align-content: center;
        display: grid;
        gap: var(--space-4);
        grid-column: 1 / -1;
        justify-items: center;
      }
      dt {
        color: var(--room-quiet);
        font-size: 0.9rem;
      }
      dd + dt {
        margin-top: var(--space-3);
      }
      dd {
        overflow-wrap: anywhere;
        white-space: pre-line;
      }
      .row {
        margin-top: auto;
      }
      dialog {
        background: var(--room-surface);
        border: 1px solid var(--room-line);
        border-radius: var(--radius);
        color: var(--room-text);
        max-width: 26em;
        padding: var(--space-6);
      }
      dialog::backdrop {
        background: rgb(0 0 0 / 60%);
      }
      dialog .row {
        justify-content: end;
        margin-top: var(--space-6);
      }
      @media (max-width: 899px) {
        :host {
          grid-template: 52vh auto / minmax(0, 1fr);
          height: auto;
          min-height: 100%;
        }
      }
    `,
  ];

  @property() examId = '';
  @property({ attribute: false }) reader: Reader | undefined;
  @state() private loaded: Loaded | null | undefined;
  @state() private film: Film | null = null;
  @query('dialog') private dialog!: HTMLDialogElement;
  #unsubscribe = () => {};

  override connectedCallback(): void {
    super.connectedCallback();
    this.#unsubscribe = onRecordsChanged(() => void this.#load());
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#unsubscribe();
  }

  protected override updated(changes: PropertyValues<this>): void {
    if (changes.has('examId')) {
      // Never one exam's film beside another's answer.
      this.film = null;
      this.loaded = undefined;
      void this.#load();
    }
    if (this.reader && this.loaded) void this.#decode(this.loaded);
  }

  async #load(): Promise<void> {
    const { examId } = this;
    const loaded = await getExam(examId);
    if (examId === this.examId) this.loaded = loaded;
  }

  /** The exam whose film is or was decoded: once is enough, also when it failed. */
  #decoded = '';

  async #decode({ exam, file }: Loaded): Promise<void> {
    if (this.#decoded === exam.id) return;
    this.#decoded = exam.id;
    try {
      const film = await this.reader!.decode(file);
      if (this.examId === exam.id) this.film = film;
    } catch (error) {
      notify({ text: (error as Error).message });
    }
  }

  protected override render() {
    const { loaded } = this;
    if (loaded === undefined) return nothing;
    if (loaded === null) {
      return html`<div class="gone">
        <h1>${t('examGone')}</h1>
        <a class="button primary" href="#/exams">${t('back')}</a>
      </div>`;
    }
    const { exam, sync } = loaded;
    const size = { width: this.film?.width ?? 0, height: this.film?.height ?? 0 };
    return html`
      <film-viewer
        .film=${this.film}
        .label=${t('filmLabel', {
          name: exam.fileName,
          width: formatNumber(size.width),
          height: formatNumber(size.height),
        })}
      ></film-viewer>
      <section class="panel" aria-label=${t('answer')}>
        <h1>${exam.patientReference || t('noReference')}</h1>
        <p class="quiet">${formatDate(exam.createdAt)}</p>
        <answer-card .reading=${exam.reading} .readBy=${exam.readBy}></answer-card>
        <dl>
          ${
            exam.note
              ? html`<dt>${t('note')}</dt>
                  <dd>${exam.note}</dd>`
              : nothing
          }
          <dt>${syncWord(sync)}</dt>
          <dd data-testid="sync">${syncText(sync)}</dd>
        </dl>
        <div class="row">
          <a class="button" href="#/exams">${t('back')}</a>
          ${
            sync.kind === 'refused' || sync.kind === 'waiting'
              ? html`<button class="primary" @click=${this.#retry}>${t('sendNow')}</button>`
              : nothing
          }
          <button @click=${() => this.dialog.showModal()}>${t('deleteExam')}</button>
        </div>
      </section>
      ${this.#renderDialog(sync.kind === 'acknowledged')}
    `;
  }

  #renderDialog(isSent: boolean) {
    return html`<dialog aria-labelledby="ask">
      <p id="ask">${isSent ? t('deleteSentAsk') : t('deleteUnsentAsk')}</p>
      <div class="row">
        <button autofocus @click=${() => this.dialog.close()}>${t('cancel')}</button>
        <button class="primary" @click=${this.#delete}>
          ${isSent ? t('deleteExam') : t('deleteUnsent')}
        </button>
      </div>
    </dialog>`;
  }

  async #retry(): Promise<void> {
    await retryRefused(this.examId);
    await sendNow();
  }

  async #delete(): Promise<void> {
    this.dialog.close();
    const deleted = await deleteExam(this.examId);
    location.hash = '#/exams';
    if (!deleted) return;
    notify({
      text: t('deleted'),
      action: { label: t('undo'), run: () => void restoreExam(deleted) },
    });
  }
}
