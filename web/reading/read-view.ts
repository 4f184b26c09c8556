import { css, html, LitElement, nothing } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import type { Film } from '../../reader/film.ts';
import type { Reading } from '../../reader/reading.ts';
import { type Notice, notify } from '../app/notify.ts';
import { controls, room } from '../app/styles.ts';
import { thumbnailOf } from '../film/pixels.ts';
import { formatNumber, t } from '../i18n/translate.ts';
import { examBundle, newBundleIds } from '../outbox/bundle.ts';
import type { Draft, Exam, ReadBy } from '../records/exam.ts';
import { deviceId, readDraft, saveExam, writeDraft } from '../records/records.ts';
import { CARD, type Reader, type ReaderState } from './reader.ts';
import '../film/film-viewer.ts';
import './answer-card.ts';

/** What becomes of the film on the light box. */
type ReadingState =
  | { kind: 'pending' }
  | { kind: 'done'; reading: Reading; readBy: ReadBy }
  | { kind: 'failed'; reason: string };

/** What is on the light box. */
type Desk =
  | { kind: 'empty' }
  | { kind: 'opening'; name: string }
  | { kind: 'unreadable'; name: string; reason: string }
  | { kind: 'open'; name: string; file: Blob; film: Film; reading: ReadingState };

const DRAFT_DELAY_MS = 400;

/** The reading room: the film first, then what the second reader says, then the record. */
@customElement('read-view')
export class ReadView extends LitElement {
  static override styles = [
    controls,
    room,
    css`
      :host {
        display: block;
        height: 100%;
        min-height: 320px;
        position: relative;
      }
      .empty {
        align-content: center;
        display: grid;
        gap: var(--space-4);
        height: 100%;
        justify-items: center;
        padding: var(--space-6);
        text-align: center;
      }
      .empty > svg {
        height: clamp(120px, 26vh, 220px);
        stroke: var(--room-quiet);
        width: auto;
      }
      .empty p {
        max-width: 34em;
      }
      .drop {
        background: color-mix(in srgb, var(--room) 80%, var(--room-accent));
        border: 3px dashed var(--room-accent);
        display: grid;
        font-size: 1.4rem;
        font-weight: 600;
        inset: 0;
        place-items: center;
        pointer-events: none;
        position: absolute;
        z-index: 2;
      }
      .open {
        display: grid;
        grid-template: minmax(0, 1fr) / minmax(0, 1fr) 360px;
        height: 100%;
      }
      .answer {
        border-bottom: 1px solid var(--room-line);
        min-height: 96px;
        padding-bottom: var(--space-4);
      }
      .actions {
        display: grid;
        gap: var(--space-2);
        grid-template-columns: 1fr 1fr;
        margin-top: auto;
      }
      .actions .primary {
        font-size: 1.1rem;
        grid-column: 1 / -1;
        min-height: 56px;
      }
      .working {
        align-items: center;
        display: flex;
        gap: var(--space-3);
      }
      .working::before {
        animation: turn 1s linear infinite;
        border: 3px solid var(--room-line);
        border-radius: 50%;
        border-top-color: var(--room-accent);
        content: '';
        height: 24px;
        width: 24px;
      }
      @keyframes turn {
        to {
          transform: rotate(1turn);
        }
      }
      @media (prefers-reduced-motion: reduce) {
        .working::before {
          animation: none;
        }
      }
      @media (max-width: 899px) {
        .open {
          grid-template: 1fr auto / minmax(0, 1fr);
          height: auto;
          min-height: 100%;
        }
        film-viewer {
          min-height: 52vh;
        }
      }
      @media (min-width: 600px) and (max-width: 899px) {
        .panel {
          display: grid;
          grid-template-columns: 1fr 1fr;
        }
        .answer,
        .actions {
          grid-column: 1 / -1;
        }
      }
    `,
  ];

  @property({ attribute: false }) reader: Reader | undefined;
  @property({ attribute: false }) state!: ReaderState;
  @state() private desk: Desk = { kind: 'empty' };
  @state() private reference = '';
  @state() private note = '';
  @state() private saving = false;
  @state() private isOver = false;
  #reading = new AbortController();
  #draftTimer: ReturnType<typeof setTimeout> | undefined;
  #listening = new AbortController();

  override connectedCallback(): void {
    super.connectedCallback();
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    window.addEventListener('paste', (event) => this.#paste(event), { signal });
    window.addEventListener('dragover', (event) => this.#dragOver(event), { signal });
    window.addEventListener('dragleave', (event) => !event.relatedTarget && (this.isOver = false), {
      signal,
    });
    window.addEventListener('drop', (event) => this.#drop(event), { signal });
    // What is typed within the delay must not be lost when the tab goes away.
    window.addEventListener('pagehide', () => void this.#keepDraft(), { signal });
    void this.#restore();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#listening.abort();
    this.#reading.abort();
    if (this.#draftTimer !== undefined) void this.#keepDraft();
  }

  async #restore(): Promise<void> {
    const draft = await readDraft();
    if (!draft || this.desk.kind !== 'empty') return;
    await this.#open(draft.file, draft.fileName, draft);
    notify({ text: t('draftRestored') });
  }

  async #open(file: Blob, name: string, from?: Draft): Promise<void> {
    this.#reading.abort();
    const abort = (this.#reading = new AbortController());
    this.reference = from?.patientReference ?? '';
    this.note = from?.note ?? '';
    this.desk = { kind: 'opening', name };
    let film: Film;
    try {
      await this.#hasReader;
      film = await this.reader!.decode(file);
    } catch (error) {
      if (abort.signal.aborted) return;
      this.desk = { kind: 'unreadable', name, reason: (error as Error).message };
      await writeDraft(null);
      return;
    }
    if (abort.signal.aborted) return;
    this.desk = { kind: 'open', name, file, film, reading: { kind: 'pending' } };
    await this.#keepDraft();
    await this.#read(film, abort.signal);
  }

  /** The frame makes the reader a moment after this view. */
  get #hasReader(): Promise<void> {
    return (async () => {
      while (!this.reader) await new Promise((resolve) => setTimeout(resolve, 20));
    })();
  }

  async #read(film: Film, signal: AbortSignal): Promise<void> {
    const set = (reading: ReadingState) => {
      if (!signal.aborted && this.desk.kind === 'open') this.desk = { ...this.desk, reading };
    };
    set({ kind: 'pending' });
    try {
      // A download that pauses goes on by itself; the film waits for it.
      for (;;) {
        const state = await this.reader!.start();
        signal.throwIfAborted();
        if (state.kind === 'failed') throw new Error(state.reason);
        if (state.kind === 'ready') break;
        await new Promise((next) => setTimeout(next, 1000));
      }
      const { reading, engine } = await this.reader!.read(film, signal);
      set({ kind: 'done', reading, readBy: readByOf(engine) });
    } catch (error) {
      set({ kind: 'failed', reason: (error as Error).message });
    }
  }

  async #keepDraft(): Promise<void> {
    clearTimeout(this.#draftTimer);
    this.#draftTimer = undefined;
    if (this.desk.kind !== 'open') return;
    const { file, name } = this.desk;
    await writeDraft({
      file,
      fileName: name,
      patientReference: this.reference,
      note: this.note,
    }).catch(() => {});
  }

  #draftLater(): void {
    clearTimeout(this.#draftTimer);
    this.#draftTimer = setTimeout(() => void this.#keepDraft(), DRAFT_DELAY_MS);
  }

  async #save(): Promise<void> {
    const { desk } = this;
    if (desk.kind !== 'open' || desk.reading.kind !== 'done' || this.saving) return;
    this.saving = true;
    clearTimeout(this.#draftTimer);
    this.#draftTimer = undefined;
    try {
      const exam: Exam = {
        id: crypto.randomUUID(),
        createdAt: new Date().toISOString(),
        patientReference: this.reference.trim(),
        note: this.note.trim(),
        fileName: desk.name,
        reading: desk.reading.reading,
        readBy: desk.reading.readBy,
        thumbnail: thumbnailOf(desk.film),
      };
      await saveExam(exam, desk.file, examBundle(exam, await deviceId(), newBundleIds()));
      if (this.desk.kind === 'open' && this.desk.film === desk.film) this.#clear();
      // Another film was opened meanwhile: its draft went with the saved one's.
      else await this.#keepDraft();
      notify({
        text: t('saved'),
        action: { label: t('exams'), run: () => (location.hash = '#/exams') },
      });
    } catch (error) {
      notify({ text: t('saveFailed', { reason: (error as Error).message }) });
    } finally {
      this.saving = false;
    }
  }

  async #discard(): Promise<void> {
    if (this.desk.kind !== 'open') return;
    const undo = this.#undo(this.desk);
    this.#clear();
    await writeDraft(null);
    notify({ text: t('discarded'), action: undo });
  }

  /** Brings what is on the light box now back, with what was typed. */
  #undo({ file, name }: Extract<Desk, { kind: 'open' }>): NonNullable<Notice['action']> {
    const draft = { file, fileName: name, patientReference: this.reference, note: this.note };
    return {
      label: t('undo'),
      run: () => void this.#open(file, name, draft),
    };
  }

  #clear(): void {
    this.#reading.abort();
    this.desk = { kind: 'empty' };
    this.reference = '';
    this.note = '';
  }

  protected override render() {
    return html`
      ${this.desk.kind === 'open' ? this.#renderOpen(this.desk) : this.#renderEmpty()}
      ${this.isOver ? html`<div class="drop">${t('dropHere')}</div>` : nothing}
      <input
        id="file"
        class="visually-hidden"
        type="file"
        accept="image/jpeg,image/png,.jpg,.jpeg,.png"
        tabindex="-1"
        aria-hidden="true"
        @change=${this.#chosen}
      />
    `;
  }

  #renderEmpty() {
    const { desk } = this;
    return html`<div class="empty">
      <svg viewBox="0 0 120 130" fill="none" stroke-width="3" aria-hidden="true">
        <rect x="5" y="5" width="110" height="120" rx="6" />
        <path d="M52 28c-2 14-26 20-28 52-1 14 6 20 14 18 10-2 14-8 14-20V28Z" />
        <path d="M68 28c2 14 26 20 28 52 1 14-6 20-14 18-10-2-14-8-14-20V28Z" />
        <path d="M60 18v36" />
      </svg>
      ${
        desk.kind === 'unreadable'
          ? html`<div role="alert">
              <h1>${t('unreadableTitle')}</h1>
              <p><b>${desk.name}</b></p>
              <p>${desk.reason}</p>
              <p class="quiet">${t('fileKept')}</p>
            </div>`
          : html`<h1>${t('openTitle')}</h1>
              <p>${t('openText')}</p>`
      }
      ${
        desk.kind === 'opening'
          ? html`<p class="working" role="status">${t('opening')}</p>`
          : html`<button class="primary" @click=${this.#choose}>${t('chooseFile')}</button>
              <p class="quiet">${t('openHint')}</p>`
      }
      <p class="quiet">${t('secondReading')}</p>
    </div>`;
  }

  #renderOpen({ film, name, reading }: Extract<Desk, { kind: 'open' }>) {
    const { width, height } = film;
    return html`<div class="open">
      <film-viewer
        .film=${film}
        .label=${t('filmLabel', { name, width: formatNumber(width), height: formatNumber(height) })}
      ></film-viewer>
      <section class="panel" aria-label=${t('answer')}>
        <div class="answer" aria-live="polite">${this.#renderReading(reading, film)}</div>
        <label>
          <span>${t('patientReference')}</span>
          <small class="quiet">${t('patientReferenceHint')}</small>
          <input
            name="reference"
            autocomplete="off"
            maxlength="64"
            .value=${this.reference}
            @input=${(event: InputEvent) => {
              this.reference = (event.target as HTMLInputElement).value;
              this.#draftLater();
            }}
          />
        </label>
        <label>
          <span>${t('note')}</span>
          <textarea
            name="note"
            maxlength="2000"
            .value=${this.note}
            @input=${(event: InputEvent) => {
              this.note = (event.target as HTMLTextAreaElement).value;
              this.#draftLater();
            }}
          ></textarea>
        </label>
        <div class="actions">
          <button
            class="primary"
            ?disabled=${reading.kind !== 'done' || this.saving}
            @click=${this.#save}
          >
            ${this.saving ? t('saving') : t('save')}
          </button>
          <button @click=${this.#discard}>${t('discard')}</button>
          <button @click=${this.#choose}>${t('nextFilm')}</button>
        </div>
      </section>
    </div>`;
  }

  #renderReading(reading: ReadingState, film: Film) {
    switch (reading.kind) {
      case 'pending':
        return html`<p class="working">${t('readingFilm')}</p>
          ${this.state?.kind === 'fetching' ? html`<p>${t('waitingForModel')}</p>` : nothing}`;
      case 'done':
        return html`<answer-card
          .reading=${reading.reading}
          .readBy=${reading.readBy}
        ></answer-card>`;
      case 'failed':
        return html`<p role="alert">${t('readerFailed', { reason: reading.reason })}</p>
          <p>
            <button @click=${() => void this.#read(film, this.#reading.signal)}>
              ${t('tryAgain')}
            </button>
          </p>`;
    }
  }

  #choose(): void {
    this.renderRoot.querySelector<HTMLInputElement>('#file')!.click();
  }

  #chosen(event: Event): void {
    const input = event.target as HTMLInputElement;
    this.#take([...(input.files ?? [])]);
    // The same file may be chosen again.
    input.value = '';
  }

  #paste(event: ClipboardEvent): void {
    this.#take([...(event.clipboardData?.files ?? [])]);
  }

  #dragOver(event: DragEvent): void {
    if (!event.dataTransfer?.types.includes('Files')) return;
    event.preventDefault();
    this.isOver = true;
  }

  #drop(event: DragEvent): void {
    event.preventDefault();
    this.isOver = false;
    this.#take([...(event.dataTransfer?.files ?? [])]);
  }

  #take(files: File[]): void {
    const [file] = files;
    if (!file) return;
    const replaced = this.desk.kind === 'open' ? this.#undo(this.desk) : undefined;
    const texts = [files.length > 1 && t('manyFiles'), replaced && t('discarded')].filter(Boolean);
    if (texts.length > 0) {
      notify({ text: texts.join(' '), ...(replaced && { action: replaced }) });
    }
    void this.#open(file, file.name);
  }
}

function readByOf(engine: ReadBy['engine']): ReadBy {
  return {
    engine,
    modelName: CARD.name,
    modelSha256: CARD.files[engine].sha256,
    threshold: CARD.operatingPoint.threshold,
    appVersion: __VERSION__,
  };
}
