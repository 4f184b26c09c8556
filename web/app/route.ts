/** Where in the app one is: kept in the address, so that Back and a reload work. */
export type Route =
  { view: 'read' } | { view: 'exams' } | { view: 'exam'; id: string } | { view: 'settings' };

/** The route in a `location.hash`; anything unknown is the reading page. */
export function parseRoute(hash: string): Route {
  const [view, id] = hash.replace(/^#\/?/, '').split('/');
  if (view === 'exams') return id ? { view: 'exam', id } : { view: 'exams' };
  return { view: view === 'settings' ? 'settings' : 'read' };
}

/** The token of an enrolment link (`…/#token=…`, or the token alone), or null. */
export function parseToken(text: string): string | null {
  const token = /(?:#token=|^)([\w-]{20,})\s*$/.exec(text.trim())?.[1];
  return token ?? null;
}
