import { revokeDevice, listDevices } from '../../server/devices.ts';
import { choose, expect, install, phantomFile, save, sendNow, stored, test } from './app.ts';
import { answer, type Fault, outcome } from './fault-proxy.ts';

const ONE_EXAM = { Patient: 1, Device: 1, Observation: 1, DiagnosticReport: 1 };

test.describe('a record survives a line and a server that misbehave', () => {
  const cut: Fault = (_incoming, outgoing) => {
    outgoing.destroy();
  };
  const half: Fault = async (_incoming, outgoing, forward) => {
    const { status, headers, body } = await forward();
    outgoing.writeHead(status, headers);
    outgoing.write(body.subarray(0, body.length / 2), () => outgoing.destroy());
  };
  const lost: Fault = async (_incoming, outgoing, forward) => {
    await forward();
    outgoing.destroy();
  };
  const conflictAfterStoring: Fault = async (incoming, outgoing, forward) => {
    const answer = await forward();
    // The look-up is let through; the record itself is answered with a conflict.
    if (incoming.method === 'GET')
      outgoing.writeHead(answer.status, answer.headers).end(answer.body);
    else outgoing.writeHead(409).end(JSON.stringify(outcome('It is there already.')));
  };

  const temporary: [string, Fault, RegExp][] = [
    ['answers 500', answer(500, outcome('Broken.')), /could not take it \(500\)/],
    ['answers 503', answer(503, '', { 'retry-after': '1' }), /could not take it \(503\)/],
    ['answers nothing', cut, /no connection to the server/],
    ['is cut off in the middle of its answer', half, /no connection|cut off/],
    ['loses the answer after it stored the record', lost, /no connection to the server/],
    ['answers a page instead of an answer', answer(200, '<html>Login</html>'), /cut off/],
    ['answers for half of the entries', answer(200, halfAnswer()), /cut off/],
  ];

  test('and is sent in the end, once', async ({ page, server, line, folder }) => {
    test.setTimeout(180_000);
    const film = await phantomFile(folder);
    await install(page, line.url, server.token);
    let number = 0;
    for (const [what, fault, words] of temporary) {
      await test.step(`the server ${what}`, async () => {
        number++;
        line.break(/^\/fhir/, fault);
        await page.goto(`${line.url}/#/read`);
        await choose(page, film);
        await save(page, `P-${number}`);
        await page.goto(`${line.url}/#/exams`);
        const exam = page.locator('exams-view li').first();
        await expect(exam).toContainText('Waiting');
        await exam.getByRole('link').click();
        await expect(page.getByTestId('sync')).toContainText(words);
        await expect(page.getByTestId('unsafe')).toContainText('1 only on this device');
        line.heal();
        await sendNow(page);
        await expect(page.getByTestId('sync')).toContainText('On the server as');
        const { DiagnosticReport, Observation, Patient } = await stored(server);
        expect([DiagnosticReport, Observation, Patient]).toEqual([number, number, number]);
      });
    }
    await expect(page.getByTestId('unsafe')).toContainText('All sent');
  });

  test('when the server has it already, and says so', async ({ page, server, line, folder }) => {
    await install(page, line.url, server.token);
    line.break(/^\/fhir/, conflictAfterStoring);
    await choose(page, await phantomFile(folder));
    await save(page, 'K-1');
    await page.goto(`${line.url}/#/exams`);
    await expect(page.locator('exams-view li').first()).toContainText('Sent');
    expect(await stored(server)).toEqual(ONE_EXAM);
  });

  test('when the server refuses it', async ({ page, server, line, folder }) => {
    const film = await phantomFile(folder);
    await install(page, line.url, server.token);
    const refusals = [
      [409, 'Another record has this name.'],
      [412, 'Two patients match.'],
      [422, 'The Bundle lacks something.'],
      [400, 'This is no Bundle.'],
    ] as const;
    for (const [i, [status, words]] of refusals.entries()) {
      await test.step(`with ${status}`, async () => {
        line.break(/^\/fhir$/, answer(status, outcome(words)));
        await page.goto(`${line.url}/#/read`);
        await choose(page, film);
        await save(page, `K-${status}`);
        await page.goto(`${line.url}/#/exams`);
        const exam = page.locator('exams-view li').first();
        await expect(exam).toContainText('Needs attention');
        await exam.getByRole('link').click();
        await expect(page.getByTestId('sync')).toContainText(words);
        await expect(page.getByTestId('sync')).toContainText('It is kept here.');
        await expect(page.getByTestId('unsafe')).toContainText('1 only on this device');
        line.heal();
        // It does not go by itself: somebody has to have looked.
        await page.getByRole('button', { name: 'Send now' }).click();
        await expect(page.getByTestId('sync')).toContainText('On the server as');
        const { DiagnosticReport, Patient } = await stored(server);
        expect([DiagnosticReport, Patient]).toEqual([i + 1, i + 1]);
      });
    }
  });

  test('when the device is unknown, or taken off the list', async ({ page, server, folder }) => {
    await install(page, server.url, 'x'.repeat(43));
    await choose(page, await phantomFile(folder));
    await save(page, 'K-1');
    await page.goto(`${server.url}/#/exams`);
    await page.locator('exams-view li a').first().click();
    await expect(page.getByTestId('sync')).toContainText('not enrolled here');
    await page.goto(`${server.url}/#/settings`);
    await expect(page.getByTestId('connection')).toContainText('does not know this device');

    const [device] = await listDevices(server.database);
    await revokeDevice(server.database, device!.id);
    await page.getByLabel('Enrolment link or token').fill(`${server.url}/#token=${server.token}`);
    await page.getByRole('button', { name: 'Use it' }).click();
    await expect(page.getByTestId('connection')).toContainText('taken off the list');
    await page.goto(`${server.url}/#/exams`);
    await page.locator('exams-view li a').first().click();
    await expect(page.getByTestId('sync')).toContainText('taken off the list');
    expect(await stored(server)).toEqual({});
    await expect(page.getByTestId('unsafe')).toContainText('1 only on this device');
    await page.goto(`${server.url}/#/settings`);

    await server.database.query('update device set revoked_at = null');
    await page.getByRole('button', { name: 'Test the connection' }).click();
    await expect(page.getByTestId('connection')).toContainText('Connected as "test tablet"');
    await page.goto(`${server.url}/#/exams`);
    await sendNow(page);
    await expect(page.locator('exams-view li').first()).toContainText('Sent');
    expect(await stored(server)).toEqual(ONE_EXAM);
  });
});

test('two tabs send five records, each once', async ({ page, tablet, server, line, folder }) => {
  await install(page, line.url, server.token);
  line.break(/^\/fhir/, answer(503, ''));
  const film = await phantomFile(folder);
  for (let i = 0; i < 5; i++) {
    await choose(page, film);
    await save(page, `K-${i}`);
  }
  const other = await tablet.context.newPage();
  await other.goto(`${line.url}/#/exams`);
  await expect(other.locator('exams-view li')).toHaveCount(5);
  line.heal();
  await page.goto(`${line.url}/#/exams`);
  // Both tabs are at it anyway; whoever finds the button presses it.
  await Promise.all([page, other].map(sendNow));
  await expect(other.getByTestId('unsafe')).toContainText('All sent');
  await expect(page.getByTestId('unsafe')).toContainText('All sent');
  expect(await stored(server)).toEqual({
    Patient: 5,
    Device: 1,
    Observation: 5,
    DiagnosticReport: 5,
  });
});

function halfAnswer() {
  return {
    resourceType: 'Bundle',
    type: 'transaction-response',
    entry: [{ response: { status: '201 Created', location: 'DiagnosticReport/1/_history/1' } }],
  };
}
