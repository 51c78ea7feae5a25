// Drives the live page in chromium, as an operator with a keyboard does, and says on standard output, as JSON, what it has seen.
// node page.mjs URL TOKEN PORT DIRECTORY: the port is one of a connection that the table has to show; the directory gets pictures and the capture.
// $TAPWIRE_BROWSER is a directory with playwright-core and axe-core below node_modules.
import { createRequire } from 'node:module';
import fs from 'node:fs';
import path from 'node:path';

const [url, token, port, directory] = process.argv.slice(2);
const require = createRequire(`${process.env.TAPWIRE_BROWSER}/`);
const { chromium } = require('playwright-core');
const axe = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const browser = await chromium.launch({ executablePath: process.env.TAPWIRE_CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] });
const seen = { complaints: [], axe: {} };
try {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, colorScheme: 'light', acceptDownloads: true });
  context.setDefaultTimeout(20000);
  const page = await context.newPage();
  page.on('pageerror', error => seen.complaints.push(error.message));
  // Refusals, which are asked for below, are among what the browser reports.
  page.on('console', message => message.type() === 'error' && !message.text().includes('status of 401') && seen.complaints.push(message.text()));
  page.on('request', request => new URL(request.url()).origin !== new URL(url).origin && !request.url().startsWith('blob:') && seen.complaints.push(`asks ${request.url()}`));

  const devtools = await context.newCDPSession(page);
  // By the debugger, since the page's policy lets nothing else run.
  const violations = async () => {
    await devtools.send('Runtime.evaluate', { expression: axe });
    const answer = await devtools.send('Runtime.evaluate', {
      expression: 'axe.run().then(found => JSON.stringify(found.violations.map(each => `${each.impact} ${each.id}: ${each.nodes[0].html}`)))', awaitPromise: true, returnByValue: true,
    });
    return JSON.parse(answer.result.value);
  };
  const picture = name => page.screenshot({ path: path.join(directory, `${name}.png`), fullPage: true });
  const color = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);

  await page.goto(url);
  await page.waitForFunction(() => document.getElementById('summary').textContent.includes('connections'));
  seen.summary = await page.textContent('#summary');
  seen.publicTable = await page.isVisible('#sockets-table');
  seen.publicCapture = await page.isVisible('#capture');
  seen.axe.public = await violations();
  await picture('public');
  seen.refusedStart = await page.evaluate(async () => (await fetch('/capture/start', { method: 'POST' })).status);

  await page.fill('#token', `${token}-wrong`);
  await page.keyboard.press('Enter');
  await page.waitForSelector('#refusal:not([hidden])');
  seen.refusal = await page.textContent('#refusal');
  await page.fill('#token', token);
  await page.keyboard.press('Enter');
  await page.waitForSelector('#sockets-table:not([hidden])');
  await page.waitForFunction(wanted => [...document.querySelectorAll('#sockets-table tbody tr')].some(row => row.textContent.includes(wanted)), `:${port}`);
  seen.all = await page.locator('#sockets-table tbody tr').count();
  seen.axe.light = await violations();
  seen.light = await color();
  await picture('light');

  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press('/');
  seen.focused = await page.evaluate(() => document.activeElement.id);
  await page.keyboard.type(port);
  await page.waitForFunction(() => document.querySelectorAll('#sockets-table tbody tr').length === 1);
  seen.row = await page.locator('#sockets-table tbody tr').allInnerTexts();
  await page.locator('#sockets-table tbody th button').focus();
  await page.keyboard.press('Enter');
  await page.waitForSelector('#detail:not([hidden])');
  seen.cause = await page.textContent('#detail-cause');
  // Two rounds of figures later the focus is where it was.
  await page.waitForTimeout(4500);
  seen.stillFocused = await page.evaluate(() => document.activeElement.closest('tbody') !== null);
  await page.keyboard.press('/');
  await page.fill('#filter', '');
  await page.locator('#sockets-table thead button', { hasText: 'Process' }).focus();
  await page.keyboard.press('Enter');
  seen.sorted = await page.locator('#sockets-table th[aria-sort]').evaluateAll(heads => heads.map(head => `${head.textContent} ${head.getAttribute('aria-sort')}`));

  await page.emulateMedia({ colorScheme: 'dark' });
  seen.dark = await color();
  seen.axe.dark = await violations();
  await picture('dark');

  await page.focus('#capture-start');
  await page.keyboard.press('Enter');
  await page.waitForSelector('#capture-stop:enabled');
  await page.waitForTimeout(1500);
  await page.focus('#capture-stop');
  await page.keyboard.press('Enter');
  await page.waitForSelector('#capture-save:enabled');
  await page.waitForFunction(() => document.getElementById('capture-state').textContent.startsWith('It has ended'));
  const [download] = await Promise.all([page.waitForEvent('download'), page.click('#capture-save')]);
  await download.saveAs(path.join(directory, download.suggestedFilename()));
  seen.file = download.suggestedFilename();

  await page.setViewportSize({ width: 400, height: 800 });
  await page.emulateMedia({ colorScheme: 'light' });
  seen.narrow = await page.evaluate(() => document.documentElement.scrollWidth);
  seen.axe.narrow = await violations();
  await picture('narrow');
} finally {
  await browser.close();
  console.log(JSON.stringify(seen));
}
