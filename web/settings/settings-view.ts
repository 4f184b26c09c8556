import { css, html, LitElement, nothing } from 'lit';
import { customElement, property, query, state } from 'lit/decorators.js';
import type { Estimate, Metrics } from '../../reader/card.ts';
import { engineName } from '../app/engine-name.ts';
import { notify } from '../app/notify.ts';
import { parseToken } from '../app/route.ts';
import { controls, page } from '../app/styles.ts';
import { formatDate, formatNumber, type Message, t } from '../i18n/translate.ts';
import { FILES_CACHE } from '../offline/files-cache.ts';
import { filesOf } from '../offline/files.ts';
import { requestPersistence, type ShellState } from '../offline/install.ts';
import { sendNow } from '../outbox/schedule.ts';
import { CARD, type EngineReport, type NoWebGpu, type ReaderState } from '../reading/reader.ts';
import { readSetting, writeSetting } from '../records/records.ts';

type Connection =
  | { kind: 'unknown' }
  | { kind: 'not-enrolled' }
  | { kind: 'connected'; name: string }
  | { kind: 'refused'; reason: string }
  | { kind: 'offline' };

const MEBIBYTE = 2 ** 20;

const NO_WEBGPU: Record<NoWebGpu, Message> = {
  absent: 'noWebGpuAbsent',
  software: 'noWebGpuSoftware',
  wrong: 'noWebGpuWrong',
  slower: 'noWebGpuSlower',
  failed: 'noWebGpuFailed',
  'not-asked': 'noWebGpuNotAsked',
};

/** What this device is connected to, holds and computes with; and what the model is worth. */
@customElement('settings-view')
export class SettingsView extends LitElement {
  static override styles = [
    controls,
    page,
    css`
      section {
        background: var(--surface);
        border: 1px solid var(--line);
        border-radius: var(--radius);
        display: grid;
        gap: var(--space-3);
        margin-top: var(--space-4);
        padding: var(--space-4);
      }
      form {
        align-items: end;
        display: grid;
        gap: var(--space-2);
        grid-template-columns: 1fr auto;
      }
      table {
        border-collapse: collapse;
        width: 100%;
      }
      th {
        font-weight: 400;
        text-align: start;
      }
      td {
        text-align: end;
      }
      tr + tr > * {
        border-top: 1px solid var(--line);
      }
      th,
      td {
        padding: var(--space-2) 0;
      }
      caption {
        font-weight: 600;
        text-align: start;
      }
      ul {
        margin: 0;
        padding-inline-start: 1.2em;
      }
      code {
        font-size: 0.8rem;
        overflow-wrap: anywhere;
      }
      button {
        justify-self: start;
      }
    `,
  ];

  @property({ attribute: false }) state!: ReaderState;
  @property({ attribute: false }) shell!: ShellState;
  @state() private connection: Connection = { kind: 'unknown' };
  @state() private storage: { used: number; quota: number; persisted: boolean } | null = null;
  @state() private stored = { wasm: false, webgpu: false };
  @query('input') private tokenInput!: HTMLInputElement;

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#testConnection();
    void this.#measure();
  }

  async #testConnection(): Promise<void> {
    const token = await readSetting('token');
    if (!token) {
      this.connection = { kind: 'not-enrolled' };
      return;
    }
    try {
      const response = await fetch('/api/device', {
        headers: { authorization: `Bearer ${token}` },
        signal: AbortSignal.timeout(15_000),
      });
      const body = (await response.json()) as { name?: string; error?: string };
      this.connection = response.ok
        ? { kind: 'connected', name: body.name ?? '' }
        : { kind: 'refused', reason: body.error ?? String(response.status) };
    } catch {
      this.connection = { kind: 'offline' };
    }
  }

  async #measure(): Promise<void> {
    const { usage = 0, quota = 0 } = (await navigator.storage?.estimate?.()) ?? {};
    const persisted = (await navigator.storage?.persisted?.()) ?? false;
    this.storage = { used: usage, quota, persisted };
    const cache = await caches.open(FILES_CACHE);
    const has = async (engine: 'wasm' | 'webgpu') =>
      (await Promise.all(filesOf(engine).map(({ url }) => cache.match(url)))).every(Boolean);
    this.stored = { wasm: await has('wasm'), webgpu: await has('webgpu') };
  }

  protected override render() {
    return html`
      <h1>${t('settings')}</h1>
      <section>
        <h2>${t('connection')}</h2>
        <p role="status" data-testid="connection">${this.#connectionText()}</p>
        <form @submit=${this.#enrol}>
          <label>
            ${t('tokenLabel')}
            <input name="token" autocomplete="off" spellcheck="false" required />
          </label>
          <button>${t('useToken')}</button>
        </form>
        <button @click=${() => void this.#testConnection()}>${t('testConnection')}</button>
      </section>
      ${this.#renderStorage()} ${this.#renderEngine()} ${this.#renderModel()}
      <p class="quiet foot">${t('version', { version: __VERSION__ })} · ${t('secondReading')}</p>
    `;
  }

  #connectionText(): string {
    const { connection } = this;
    switch (connection.kind) {
      case 'unknown':
        return '…';
      case 'not-enrolled':
        return t('notEnrolled');
      case 'connected':
        return t('connectedAs', { name: connection.name });
      case 'refused':
        return t('connectionRefused', { reason: connection.reason });
      case 'offline':
        return t('connectionNone');
    }
  }

  #renderStorage() {
    const { storage } = this;
    const size = (engine: 'wasm' | 'webgpu') =>
      filesOf(engine).reduce((sum, { bytes }) => sum + bytes, 0) / MEBIBYTE;
    const row = (name: string, isStored: boolean, megabytes?: number) =>
      html`<tr>
        <th scope="row">
          ${name} ${megabytes === undefined ? nothing : html`(${formatNumber(megabytes, 1)} MB)`}
        </th>
        <td>${isStored ? t('stored') : t('notStored')}</td>
      </tr>`;
    const isInstalled = this.shell === 'ready' || this.shell === 'update-waiting';
    return html`<section>
      <h2>${t('offlineUse')}</h2>
      <table>
        <tbody>
          ${row(t('shellFile'), isInstalled)} ${row(t('fileWasm'), this.stored.wasm, size('wasm'))}
          ${row(t('fileWebgpu'), this.stored.webgpu, size('webgpu'))}
        </tbody>
      </table>
      ${
        storage &&
        html`<p>
            ${t('storageUsed', {
              used: formatNumber(storage.used / MEBIBYTE, 1),
              quota: formatNumber(storage.quota / MEBIBYTE),
            })}
          </p>
          <p>${storage.persisted ? t('persisted') : t('notPersisted')}</p>
          ${
            storage.persisted
              ? nothing
              : html`<button @click=${this.#persist}>${t('askPersist')}</button>`
          }`
      }
    </section>`;
  }

  #renderEngine() {
    if (this.state?.kind !== 'ready') return nothing;
    const { report } = this.state;
    return html`<section>
      <h2>${t('engine')}</h2>
      <p data-testid="engine">${engineText(report)}</p>
      ${report.noWebGpu ? html`<p>${t(NO_WEBGPU[report.noWebGpu])}</p>` : nothing}
    </section>`;
  }

  #renderModel() {
    const { training, files } = CARD;
    const row = (name: string, value: unknown) =>
      html`<tr>
        <th scope="row">${name}</th>
        <td>${value}</td>
      </tr>`;
    return html`<section>
      <h2>${t('aboutModel')}</h2>
      <table>
        <tbody>
          ${row(t('modelName'), CARD.name)} ${row(t('modelDate'), formatDate(CARD.date))}
          ${row(t('modelTraining'), training.data)}
          ${row(t('modelHash'), html`<code>${files.wasm.sha256}</code>`)}
        </tbody>
      </table>
      ${Object.entries(CARD.metrics).map(([name, metrics]) => renderMetrics(name, metrics))}
      <h3>${t('limits')}</h3>
      <ul>
        ${CARD.limits.map((limit) => html`<li>${limit}</li>`)}
      </ul>
    </section>`;
  }

  async #enrol(event: Event): Promise<void> {
    event.preventDefault();
    const token = parseToken(this.tokenInput.value);
    if (!token) {
      this.connection = { kind: 'not-enrolled' };
      return;
    }
    await writeSetting('token', token);
    this.tokenInput.value = '';
    await this.#testConnection();
    if (this.connection.kind === 'connected') notify({ text: t('enrolled') });
    await sendNow();
  }

  async #persist(): Promise<void> {
    await requestPersistence();
    await this.#measure();
  }
}

function engineText({ engine, selfTest }: EngineReport): string {
  return t('engineText', {
    engine: engineName(engine),
    difference: formatNumber(selfTest.difference, 3),
    ms: formatNumber(selfTest.ms),
  });
}

function renderMetrics(name: string, metrics: Metrics) {
  const percent = ({ value, low, high }: Estimate) =>
    `${formatNumber(value * 100, 1)} % (${formatNumber(low * 100, 1)} – ${formatNumber(high * 100, 1)})`;
  const auc = ({ value, low, high }: Estimate) =>
    `${formatNumber(value, 3)} (${formatNumber(low, 3)} – ${formatNumber(high, 3)})`;
  const row = (label: string, value: string) =>
    html`<tr>
      <th scope="row">${label}</th>
      <td>${value}</td>
    </tr>`;
  return html`<table>
    <caption>
      ${t('metricsOn', { name, n: formatNumber(metrics.n) })}
    </caption>
    <tbody>
      ${row(t('metricAuc'), auc(metrics.auc))}
      ${row(t('metricAccuracy'), percent(metrics.accuracy))}
      ${row(t('metricSensitivity'), percent(metrics.sensitivity))}
      ${row(t('metricSpecificity'), percent(metrics.specificity))}
    </tbody>
  </table>`;
}
