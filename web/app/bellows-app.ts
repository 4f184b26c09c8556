import { css, html, LitElement, nothing } from 'lit';
import { customElement, state } from 'lit/decorators.js';
import { formatNumber, t } from '../i18n/translate.ts';
import { installShell, requestPersistence, type ShellState } from '../offline/install.ts';
import { scheduleDrains, sendNow } from '../outbox/schedule.ts';
import { type EnginePreference, Reader, type ReaderState } from '../reading/reader.ts';
import { listExams, onRecordsChanged, readSetting, writeSetting } from '../records/records.ts';
import { engineName } from './engine-name.ts';
import type { Notice } from './notify.ts';
import { notify } from './notify.ts';
import { parseRoute, parseToken, type Route } from './route.ts';
import { controls } from './styles.ts';
import '../reading/read-view.ts';
import '../records/exam-view.ts';
import '../records/exams-view.ts';
import '../settings/settings-view.ts';

const MEBIBYTE = 2 ** 20;
const NOTICE_MS = 8000;
/** A line may be back without the browser having noticed that it was gone. */
const DOWNLOAD_RETRY_MS = 5_000;

/** The app's frame: where one is, what is not safe yet, whether it works offline. */
@customElement('bellows-app')
export class BellowsApp extends LitElement {
  static override styles = [
    controls,
    css`
      :host {
        display: grid;
        grid-template-rows: auto auto 1fr auto;
        height: 100dvh;
      }
      .skip:not(:focus) {
        clip-path: inset(50%);
        position: absolute;
      }
      header {
        align-items: center;
        background: var(--surface);
        border-bottom: 1px solid var(--line);
        display: flex;
        flex-wrap: wrap;
        gap: 0 var(--space-4);
        padding: 0 var(--space-4);
      }
      .name {
        align-items: center;
        display: flex;
        font-size: 1.1rem;
        font-weight: 700;
        gap: var(--space-2);
        letter-spacing: -0.01em;
      }
      .name svg {
        height: 26px;
        width: 26px;
      }
      nav {
        display: flex;
      }
      nav a {
        align-items: center;
        border-bottom: 3px solid transparent;
        color: inherit;
        display: flex;
        font-weight: 600;
        min-height: 52px;
        padding: 3px var(--space-3) 0;
        text-decoration: none;
      }
      nav a[aria-current='page'] {
        border-color: var(--accent);
      }
      .status {
        align-items: center;
        display: flex;
        flex-wrap: wrap;
        font-size: 0.9rem;
        gap: 0 var(--space-4);
        margin-inline-start: auto;
        padding: var(--space-1) 0;
      }
      .status .unsafe {
        color: var(--attention);
        font-weight: 600;
      }
      .status span {
        align-items: center;
        display: inline-flex;
        gap: 6px;
      }
      .dot {
        border: 2px solid currentColor;
        border-radius: 50%;
        height: 12px;
        width: 12px;
      }
      .dot.full {
        background: currentColor;
      }
      .bar {
        align-items: center;
        background: var(--surface);
        border-bottom: 1px solid var(--line);
        display: flex;
        flex-wrap: wrap;
        gap: var(--space-2) var(--space-4);
        padding: var(--space-2) var(--space-4);
      }
      .bar progress {
        accent-color: var(--accent);
        flex: 1 1 160px;
        height: 10px;
      }
      main {
        min-height: 0;
        overflow: auto;
      }
      .notice {
        align-items: center;
        background: var(--text);
        border-radius: var(--radius);
        bottom: var(--space-4);
        color: var(--ground);
        display: flex;
        gap: var(--space-4);
        left: 50%;
        max-width: calc(100vw - 32px);
        padding: var(--space-2) var(--space-4);
        position: fixed;
        transform: translateX(-50%);
        width: max-content;
        z-index: 3;
      }
      @media (max-width: 560px) {
        header {
          padding: 0 var(--space-2);
        }
        .name b {
          clip-path: inset(50%);
          position: absolute;
        }
        nav a {
          padding-inline: var(--space-2);
        }
        .status {
          margin: 0;
          padding: 0 var(--space-2) var(--space-1);
          width: 100%;
        }
      }
    `,
  ];

  @state() private route: Route = parseRoute(location.hash);
  @state() private shell: ShellState = 'installing';
  @state() private reader: ReaderState = { kind: 'fetching', files: { kind: 'checking' } };
  @state() private unsafe = 0;
  @state() private notice: Notice | null = null;
  @state() private updateHidden = false;
  /** Set when the engine preference is known. */
  @state() private readings: Reader | undefined;
  #noticeTimer: ReturnType<typeof setTimeout> | undefined;
  #applyUpdate: () => Promise<void> = async () => {};

  override connectedCallback(): void {
    super.connectedCallback();
    addEventListener('hashchange', () => void this.#navigated());
    addEventListener('bellows-notice', (event) =>
      this.#show((event as CustomEvent<Notice>).detail),
    );
    addEventListener('online', () => void this.readings?.start());
    onRecordsChanged(() => void this.#count());
    this.#applyUpdate = installShell((state) => (this.shell = state));
    scheduleDrains();
    void this.#navigated();
    void this.#count();
    void this.#startReader();
    void requestPersistence();
  }

  async #startReader(): Promise<void> {
    const asked =
      new URLSearchParams(location.search).get('engine') ?? (await readSetting('engine'));
    const preference: EnginePreference = asked === 'wasm' || asked === 'webgpu' ? asked : 'auto';
    this.readings = new Reader(preference, (state) => (this.reader = state));
    for (;;) {
      const { kind } = await this.readings.start();
      if (kind !== 'fetching') return;
      await new Promise((next) => setTimeout(next, DOWNLOAD_RETRY_MS));
    }
  }

  async #navigated(): Promise<void> {
    const token = /^#token=/.test(location.hash) ? parseToken(location.hash) : null;
    if (token) {
      // Out of the address at once: it must not end up in a bookmark or a screenshot.
      history.replaceState(null, '', location.pathname + location.search);
      await writeSetting('token', token);
      notify({ text: t('enrolled') });
      // Records that an old token was refused for need not wait for their next turn.
      void sendNow();
    }
    this.route = parseRoute(location.hash);
  }

  async #count(): Promise<void> {
    this.unsafe = (await listExams()).filter(({ sync }) => sync.kind !== 'acknowledged').length;
  }

  #show(notice: Notice): void {
    this.notice = notice;
    clearTimeout(this.#noticeTimer);
    this.#noticeTimer = setTimeout(() => (this.notice = null), NOTICE_MS);
  }

  protected override render() {
    const { view } = this.route;
    const link = (to: 'read' | 'exams' | 'settings', label: string) => {
      const current = view === to || (to === 'exams' && view === 'exam');
      return html`<a href="#/${to}" aria-current=${current ? 'page' : 'false'}>${label}</a>`;
    };
    return html`
      <header>
        <a class="skip button" href="#main" @click=${this.#skip}>${t('skipToContent')}</a>
        <span class="name">
          <svg viewBox="0 0 32 32" aria-hidden="true" fill="none" stroke="currentColor">
            <path stroke-width="2.4" d="M14 4v8c0 4-8 5-8 12 0 3 2 4 4 4 4 0 5-4 5-9V4" />
            <path stroke-width="2.4" d="M18 4v8c0 4 8 5 8 12 0 3-2 4-4 4-4 0-5-4-5-9V4" />
          </svg>
          <b>${t('appName')}</b>
        </span>
        <nav>
          ${link('read', t('read'))} ${link('exams', t('exams'))} ${link('settings', t('settings'))}
        </nav>
        <div class="status" role="status">${this.#renderSync()} ${this.#renderOffline()}</div>
      </header>
      <div>${this.#renderBars()}</div>
      <main id="main" tabindex="-1">${this.#renderView()}</main>
      <div aria-live="polite">
        ${
          this.notice &&
          html`<div class="notice">
            <span>${this.notice.text}</span>
            ${
              this.notice.action &&
              html`<button class="plain" @click=${this.#act}>${this.notice.action.label}</button>`
            }
          </div>`
        }
      </div>
    `;
  }

  #renderView() {
    switch (this.route.view) {
      case 'read':
        return html`<read-view .reader=${this.readings} .state=${this.reader}></read-view>`;
      case 'exams':
        return html`<exams-view></exams-view>`;
      case 'exam':
        return html`<exam-view .examId=${this.route.id} .reader=${this.readings}></exam-view>`;
      case 'settings':
        return html`<settings-view .state=${this.reader} .shell=${this.shell}></settings-view>`;
    }
  }

  #renderSync() {
    const safe = this.unsafe === 0;
    return html`<span class=${safe ? 'quiet' : 'unsafe'} data-testid="unsafe">
      <i class="dot ${safe ? 'full' : ''}" aria-hidden="true"></i>
      ${safe ? t('unsafeNone') : t('unsafeCount', { n: formatNumber(this.unsafe) })}
    </span>`;
  }

  #renderOffline() {
    const isReady = this.reader.kind === 'ready';
    if (!isReady) return nothing;
    const installed = this.shell === 'ready' || this.shell === 'update-waiting';
    const unavailable = this.shell === 'unsupported' || this.shell === 'failed';
    const text = installed ? t('readyOffline') : unavailable ? t('readyOnline') : t('installing');
    const { engine } = (this.reader as Extract<ReaderState, { kind: 'ready' }>).report;
    return html`<span class="quiet" data-testid="offline">
      <i class="dot ${installed ? 'full' : ''}" aria-hidden="true"></i>${text} ·
      ${engineName(engine)}
    </span>`;
  }

  #renderBars() {
    return html`${this.#renderReaderBar()}
    ${
      this.shell === 'update-waiting' && !this.updateHidden
        ? html`<div class="bar" role="status">
            <span>${t('updateWaiting')}</span>
            <button class="primary" @click=${() => void this.#applyUpdate()}>
              ${t('updateNow')}
            </button>
            <button class="plain" @click=${() => (this.updateHidden = true)}>${t('later')}</button>
          </div>`
        : nothing
    }`;
  }

  #renderReaderBar() {
    const { reader } = this;
    if (reader.kind === 'ready') return nothing;
    const retry = html`<button @click=${() => void this.readings?.start()}>
      ${t('tryAgain')}
    </button>`;
    if (reader.kind === 'failed') {
      return html`<div class="bar" role="alert">
        <span>${t('readerFailed', { reason: reader.reason })}</span>${retry}
      </div>`;
    }
    if (reader.kind === 'starting') return html`<div class="bar">${t('starting')}</div>`;
    const { files } = reader;
    if (files.kind === 'downloading' || files.kind === 'interrupted') {
      const sizes = {
        done: formatNumber(files.done / MEBIBYTE, 1),
        total: formatNumber(files.total / MEBIBYTE, 1),
      };
      return html`<div class="bar">
        <span>${t(files.kind, sizes)}</span>
        <progress max=${files.total} value=${files.done} aria-label=${t('installing')}></progress>
        ${files.kind === 'interrupted' ? retry : nothing}
      </div>`;
    }
    return html`<div class="bar">${t('installing')}</div>`;
  }

  #act(): void {
    this.notice?.action?.run();
    this.notice = null;
  }

  #skip(event: Event): void {
    event.preventDefault();
    this.renderRoot.querySelector<HTMLElement>('#main')?.focus();
  }
}
