import { css, html, LitElement, type PropertyValues } from 'lit';
import { customElement, property, query, state } from 'lit/decorators.js';
import type { Film } from '../../reader/film.ts';
import { controls } from '../app/styles.ts';
import { t } from '../i18n/translate.ts';
import { toImageData } from './pixels.ts';

const LARGEST = 8;
const STEP = 1.4;

/**
 * The light box: shows a film's own grey pixels, as large as there is room. Wheel, pinch, drag and
 * keys zoom and pan.
 */
@customElement('film-viewer')
export class FilmViewer extends LitElement {
  static override styles = [
    controls,
    css`
      :host {
        --accent: var(--room-accent);
        background: var(--room);
        color: var(--room-text);
        display: grid;
        grid-template-rows: 1fr auto;
        min-height: 0;
        min-width: 0;
        overflow: hidden;
        position: relative;
      }
      .stage {
        cursor: grab;
        min-height: 0;
        overflow: hidden;
        position: relative;
        touch-action: none;
      }
      .stage:active {
        cursor: grabbing;
      }
      canvas {
        left: 0;
        position: absolute;
        top: 0;
        transform-origin: 0 0;
      }
      .tools {
        border-top: 1px solid var(--room-line);
        display: flex;
        gap: var(--space-1);
        justify-content: center;
        padding: var(--space-1);
      }
      .tools button {
        border-color: transparent;
        padding: 0 var(--space-3);
      }
    `,
  ];

  @property({ attribute: false }) film: Film | null = null;
  @property() label = '';
  @state() private inverted = false;
  @query('canvas') private canvas!: HTMLCanvasElement;
  @query('.stage') private stage!: HTMLElement;
  /** Screen pixels a film pixel, and where its corner is. `fitted` follows the size of the stage. */
  #view = { scale: 1, x: 0, y: 0, fitted: true };
  readonly #pointers = new Map<number, { x: number; y: number }>();
  readonly #resize = new ResizeObserver(() => this.#view.fitted && this.#fit());

  protected override firstUpdated(): void {
    this.#resize.observe(this.stage);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#resize.disconnect();
  }

  protected override updated(changes: PropertyValues<this>): void {
    if (!this.film) return;
    if (changes.has('film') || changes.has('inverted' as never)) {
      this.canvas.width = this.film.width;
      this.canvas.height = this.film.height;
      this.canvas.getContext('2d')!.putImageData(toImageData(this.film, this.inverted), 0, 0);
    }
    if (changes.has('film')) this.#fit();
  }

  protected override render() {
    return html`
      <div
        class="stage"
        tabindex="0"
        role="img"
        aria-label=${this.label}
        @wheel=${this.#wheel}
        @pointerdown=${this.#down}
        @pointermove=${this.#move}
        @pointerup=${this.#up}
        @pointercancel=${this.#up}
        @keydown=${this.#key}
        @dblclick=${() => this.#fit()}
      >
        <canvas></canvas>
      </div>
      <div class="tools" role="toolbar" aria-label=${t('filmTools')}>
        <button @click=${() => this.#fit()}>${t('zoomFit')}</button>
        <button @click=${() => this.#zoomAt(1 / this.#view.scale)}>${t('zoomFull')}</button>
        <button aria-label=${t('zoomOut')} @click=${() => this.#zoomAt(1 / STEP)}>−</button>
        <button aria-label=${t('zoomIn')} @click=${() => this.#zoomAt(STEP)}>+</button>
        <button aria-pressed=${this.inverted} @click=${() => (this.inverted = !this.inverted)}>
          <span>${t('invert')}</span>
        </button>
      </div>
    `;
  }

  #fit(): void {
    if (!this.film || !this.stage) return;
    const { clientWidth, clientHeight } = this.stage;
    const scale = Math.min(clientWidth / this.film.width, clientHeight / this.film.height);
    this.#view = {
      scale,
      x: (clientWidth - this.film.width * scale) / 2,
      y: (clientHeight - this.film.height * scale) / 2,
      fitted: true,
    };
    this.#place();
  }

  /** Zooms so that the point under (x, y) of the stage stays where it is; its centre by default. */
  #zoomAt(factor: number, x = this.stage.clientWidth / 2, y = this.stage.clientHeight / 2): void {
    if (!this.film) return;
    const smallest = Math.min(
      1,
      this.stage.clientWidth / this.film.width,
      this.stage.clientHeight / this.film.height,
    );
    const before = this.#view;
    const scale = Math.min(LARGEST, Math.max(smallest, before.scale * factor));
    const ratio = scale / before.scale;
    this.#view = {
      scale,
      x: x - (x - before.x) * ratio,
      y: y - (y - before.y) * ratio,
      fitted: false,
    };
    this.#place();
  }

  #pan(x: number, y: number): void {
    if (!this.film) return;
    this.#view = { ...this.#view, x: this.#view.x + x, y: this.#view.y + y, fitted: false };
    this.#place();
  }

  /** Keeps a part of the film in sight, whatever was dragged. */
  #place(): void {
    const { width, height } = this.film!;
    const { clientWidth, clientHeight } = this.stage;
    const { scale } = this.#view;
    const margin = Math.min(80, (width * scale) / 2);
    const x = Math.min(clientWidth - margin, Math.max(margin - width * scale, this.#view.x));
    const y = Math.min(clientHeight - margin, Math.max(margin - height * scale, this.#view.y));
    this.#view = { ...this.#view, x, y };
    this.canvas.style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
    this.canvas.style.imageRendering = scale > 2 ? 'pixelated' : 'auto';
  }

  #wheel(event: WheelEvent): void {
    event.preventDefault();
    const box = this.stage.getBoundingClientRect();
    this.#zoomAt(Math.exp(-event.deltaY / 400), event.clientX - box.left, event.clientY - box.top);
  }

  #down(event: PointerEvent): void {
    this.stage.setPointerCapture(event.pointerId);
    this.#pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  }

  #move(event: PointerEvent): void {
    const before = this.#pointers.get(event.pointerId);
    if (!before) return;
    const now = { x: event.clientX, y: event.clientY };
    const other = [...this.#pointers].find(([id]) => id !== event.pointerId)?.[1];
    this.#pointers.set(event.pointerId, now);
    if (!other) {
      this.#pan(now.x - before.x, now.y - before.y);
      return;
    }
    const box = this.stage.getBoundingClientRect();
    const distance = (point: { x: number; y: number }) =>
      Math.max(1, Math.hypot(point.x - other.x, point.y - other.y));
    this.#zoomAt(
      distance(now) / distance(before),
      (now.x + other.x) / 2 - box.left,
      (now.y + other.y) / 2 - box.top,
    );
  }

  #up(event: PointerEvent): void {
    this.#pointers.delete(event.pointerId);
  }

  #key(event: KeyboardEvent): void {
    const pan: Record<string, [number, number]> = {
      ArrowLeft: [40, 0],
      ArrowRight: [-40, 0],
      ArrowUp: [0, 40],
      ArrowDown: [0, -40],
    };
    const shift = pan[event.key];
    if (shift) this.#pan(...shift);
    else if (event.key === '+' || event.key === '=') this.#zoomAt(STEP);
    else if (event.key === '-') this.#zoomAt(1 / STEP);
    else if (event.key === '0') this.#fit();
    else if (event.key === '1') this.#zoomAt(1 / this.#view.scale);
    else if (event.key === 'i') this.inverted = !this.inverted;
    else return;
    event.preventDefault();
  }
}
