// Loads a page in chromium and talks to a WebSocket from there, and says on standard output: the page's heading, the protocol that brought it, and what the socket has answered.
// node kestrel.mjs PAGE SOCKET; $TAPWIRE_BROWSER is a directory with playwright-core below node_modules.
import { createRequire } from 'node:module';

const [page, socket] = process.argv.slice(2);
const { chromium } = createRequire(`${process.env.TAPWIRE_BROWSER}/`)('playwright-core');
const browser = await chromium.launch({ executablePath: process.env.TAPWIRE_CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] });
try {
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  context.setDefaultTimeout(20000);
  const tab = await context.newPage();
  await tab.goto(page);
  const heading = await tab.textContent('h1');
  const protocol = await tab.evaluate(() => performance.getEntriesByType('navigation')[0].nextHopProtocol);
  const answer = await tab.evaluate(url => new Promise((resolve, reject) => {
    const connection = new WebSocket(url);
    connection.onopen = () => connection.send('there and back');
    connection.onmessage = message => { resolve(message.data); connection.close(); };
    connection.onerror = () => reject(new Error('The WebSocket has failed.'));
  }), socket);
  console.log(`${heading}, ${protocol}, ${answer}`);
} finally {
  await browser.close();
}
