import { choose, expect, install, phantomFile, save, stored, test } from './app.ts';
import { answer } from './fault-proxy.ts';

test('the service worker sends what waits when the network returns and no page is open', async ({
  page,
  tablet,
  server,
  line,
  folder,
}) => {
  await install(page, line.url, server.token);
  line.break(/^\/fhir/, answer(503, ''));
  await choose(page, await phantomFile(folder));
  await save(page, 'K-1');
  await expect(page.getByTestId('unsafe')).toContainText('1 only on this device');

  const devtools = await tablet.context.newCDPSession(page);
  const registration = new Promise<string>((resolve) => {
    devtools.on('ServiceWorker.workerRegistrationUpdated', ({ registrations }) => {
      const [first] = registrations;
      if (first) resolve(first.registrationId);
    });
  });
  await devtools.send('ServiceWorker.enable');
  const registrationId = await registration;
  await page.goto('about:blank');
  line.heal();
  expect(await stored(server)).toEqual({});
  await devtools.send('ServiceWorker.dispatchSyncEvent', {
    origin: line.url,
    registrationId,
    tag: 'bellows-outbox',
    lastChance: false,
  });
  await expect
    .poll(() => stored(server))
    .toEqual({ Patient: 1, Device: 1, Observation: 1, DiagnosticReport: 1 });
});
