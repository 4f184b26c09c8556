import { describe, expect, it } from 'vitest';
import { parseRoute, parseToken } from '../../web/app/route.ts';

const TOKEN = 'q3J0x-_9'.repeat(5) + 'abc';

it.each([
  ['', { view: 'read' }],
  ['#/', { view: 'read' }],
  ['#/read', { view: 'read' }],
  ['#/exams', { view: 'exams' }],
  ['#/exams/', { view: 'exams' }],
  ['#/exams/1f0c', { view: 'exam', id: '1f0c' }],
  ['#/settings', { view: 'settings' }],
  ['#/nothing/of/the/kind', { view: 'read' }],
  ['#main', { view: 'read' }],
])('%j leads to %o', (hash, route) => {
  expect(parseRoute(hash)).toEqual(route);
});

describe('a token is found', () => {
  it.each([
    ['in an enrolment link', `https://clinic.example/#token=${TOKEN}`],
    ['in the address', `#token=${TOKEN}`],
    ['alone', TOKEN],
    ['with space around it', `  ${TOKEN}\n`],
  ])('%s', (_where, text) => {
    expect(parseToken(text)).toBe(TOKEN);
  });

  it.each([
    ['', 'nothing'],
    ['#token=', 'a link without one'],
    ['#token=short', 'one cut off'],
    [`https://clinic.example/${TOKEN}`, 'an address that holds none'],
    [`${TOKEN} and more`, 'words after it'],
    [`#token=${TOKEN}"><script>`, 'what no token holds'],
  ])('but not in %j (%s)', (text) => {
    expect(parseToken(text)).toBeNull();
  });
});
