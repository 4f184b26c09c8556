import { css } from 'lit';

/** Controls alike in every view: 48 px targets, a focus ring that shows on any ground. */
export const controls = css`
  :host {
    box-sizing: border-box;
  }
  *,
  *::before,
  *::after {
    box-sizing: inherit;
  }
  h1,
  h2,
  h3,
  p,
  dl,
  dd {
    margin: 0;
  }
  h1 {
    font-size: 1.5rem;
    line-height: 1.25;
  }
  h2 {
    font-size: 1.15rem;
    line-height: 1.3;
  }
  button,
  .button {
    align-items: center;
    background: transparent;
    border: 1.5px solid currentColor;
    border-radius: var(--radius);
    color: inherit;
    cursor: pointer;
    display: inline-flex;
    font: inherit;
    font-weight: 600;
    gap: var(--space-2);
    justify-content: center;
    min-height: var(--target);
    min-width: var(--target);
    padding: 0 var(--space-4);
    text-decoration: none;
  }
  button.primary,
  .button.primary {
    background: var(--accent);
    border-color: var(--accent);
    color: var(--on-accent);
  }
  button.plain {
    border-color: transparent;
  }
  button:disabled {
    cursor: default;
    opacity: 0.55;
  }
  button[aria-pressed='true'] {
    background: currentColor;
  }
  button[aria-pressed='true'] > span {
    filter: invert(1) grayscale(1) contrast(9);
  }
  :is(button, a, input, textarea, select, summary, [tabindex]):focus-visible {
    outline: 3px solid var(--accent);
    outline-offset: 2px;
  }
  label {
    display: grid;
    font-weight: 600;
    gap: var(--space-1);
  }
  label small {
    font-size: 0.85rem;
    font-weight: 400;
  }
  input,
  textarea,
  select {
    background: var(--surface);
    border: 1.5px solid var(--line);
    border-radius: var(--radius);
    color: var(--text);
    font: inherit;
    min-height: var(--target);
    padding: var(--space-2) var(--space-3);
    width: 100%;
  }
  textarea {
    min-height: 72px;
    resize: vertical;
  }
  .quiet {
    color: var(--text-quiet);
  }
  .row {
    display: flex;
    flex-wrap: wrap;
    gap: var(--space-2);
  }
  .visually-hidden {
    clip-path: inset(50%);
    height: 1px;
    overflow: hidden;
    position: absolute;
    white-space: nowrap;
    width: 1px;
  }
`;

/** A page of the desk: one column that stays readable on a wide screen. */
export const page = css`
  :host {
    display: block;
    margin: 0 auto;
    max-width: 920px;
    padding: var(--space-6) var(--space-4) var(--space-8);
  }
  .foot {
    margin-top: var(--space-4);
  }
`;

/** The reading room: dark in every theme, the film beside (or above) a panel. */
export const room = css`
  :host {
    --accent: var(--room-accent);
    --on-accent: #08243d;
    --line: var(--room-line);
    --surface: var(--room-surface);
    --text: var(--room-text);
    --text-quiet: var(--room-quiet);
    background: var(--room);
    color: var(--room-text);
    color-scheme: dark;
  }
  .panel {
    background: var(--room-surface);
    border-inline-start: 1px solid var(--room-line);
    display: flex;
    flex-direction: column;
    gap: var(--space-4);
    overflow: auto;
    padding: var(--space-4);
  }
  @media (max-width: 899px) {
    .panel {
      border: 0;
      border-top: 1px solid var(--room-line);
    }
  }
`;
