import { css, html, LitElement, type PropertyValues } from 'lit';
import { customElement, property, query } from 'lit/decorators.js';
import type { Thumbnail } from '../records/exam.ts';
import { toImageData } from './pixels.ts';

/** A film in small, for lists. */
@customElement('film-thumbnail')
export class FilmThumbnail extends LitElement {
  static override styles = css`
    :host {
      background: var(--room);
      border-radius: 4px;
      display: grid;
      height: 64px;
      overflow: hidden;
      place-items: center;
      width: 64px;
    }
    canvas {
      max-height: 64px;
      max-width: 64px;
    }
  `;

  @property({ attribute: false }) thumbnail!: Thumbnail;
  @query('canvas') private canvas!: HTMLCanvasElement;

  protected override updated(changes: PropertyValues<this>): void {
    if (!changes.has('thumbnail')) return;
    this.canvas.width = this.thumbnail.width;
    this.canvas.height = this.thumbnail.height;
    this.canvas.getContext('2d')!.putImageData(toImageData(this.thumbnail), 0, 0);
  }

  protected override render() {
    return html`<canvas aria-hidden="true"></canvas>`;
  }
}
