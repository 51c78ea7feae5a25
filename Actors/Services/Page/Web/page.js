// The live page of a driver: asks for its figures every two seconds, and shows them.
import * as driver from './driver.js';
import { count, make, rate, time, uptime, write } from './format.js';
import { drawDrops, drawNetwork, forgetDrops } from './network.js';
import { Plot } from './plots.js';
import { details, Sockets } from './sockets.js';

const every = 2000;

const at = id => document.getElementById(id);

const throughput = new Plot(at('throughput'), ['in', 'out'], rate);
const roundTrip = new Plot(at('rtt'), ['median', 'longest'], time);
const sockets = new Sockets(show);

let before = null;
let plotted = null;
let state = 'none';

function show(row) {
  at('detail').hidden = row === null;
  const key = row === null ? null : `${row.local} ${row.remote}`;
  if (key !== plotted) {
    plotted = key;
    roundTrip.restart(row === null ? ['median', 'longest'] : ['smoothed', 'with its variation']);
    write(at('rtt-title'), row === null ? 'Round trip of all connections' : `Round trip with ${row.remote}`);
  }
  if (row === null)
    return;
  const { title, cause, values } = details(row);
  write(at('detail-title'), title);
  write(at('detail-cause'), cause);
  const list = at('detail-values');
  if (list.children.length !== values.length)
    list.replaceChildren(...values.map(([name]) => make('div', {}, make('dt', {}, name), make('dd'))));
  values.forEach(([, text], index) => write(list.children[index].lastElementChild, text));
}

function drawStatus(status) {
  const wires = status.interfaces.map(each => each.wire);
  const bytes = { at: status.uptimeSeconds, in: wires.reduce((sum, wire) => sum + wire.bytesReceived, 0), out: wires.reduce((sum, wire) => sum + wire.bytesSent, 0) };
  if (before !== null && bytes.at < before.at)
    forgetDrops();
  else if (before !== null && bytes.at > before.at)
    throughput.add([Math.max(0, bytes.in - before.in), Math.max(0, bytes.out - before.out)].map(each => each / (bytes.at - before.at)));
  before = bytes;
  write(at('summary'), `${status.addresses.join(', ')}; up ${uptime(status.uptimeSeconds)}; ${count(status.connectionCount)} connections`);
  drawProblems(status.problems ?? []);
  drawNetwork(status.interfaces, driver.hasToken());
  drawDrops(status);
  const select = at('capture-interface');
  const names = status.interfaces.map(each => each.name);
  if ([...select.options].slice(1).map(option => option.value).join() !== names.join())
    select.replaceChildren(select.options[0], ...names.map(name => make('option', { value: name }, name)));
}

// Read out when they change, and not every two seconds.
function drawProblems(problems) {
  const texts = problems.map(problem => problem.text);
  const list = at('problem-list');
  at('problems').hidden = texts.length === 0;
  if ([...list.children].map(item => item.textContent).join('\n') !== texts.join('\n'))
    list.replaceChildren(...texts.map(text => make('li', {}, text)));
}

function drawRoundTrips(rows) {
  const chosen = sockets.current();
  if (chosen !== null) {
    roundTrip.add([chosen.rtt > 0 ? chosen.rtt : null, chosen.rtt > 0 ? chosen.rtt + (chosen.tcp.roundTripVariationMicroseconds ?? 0) : null]);
    return;
  }
  const times = rows.map(row => row.tcp?.roundTripMicroseconds ?? 0).filter(value => value > 0).sort((one, other) => one - other);
  roundTrip.add(times.length === 0 ? [null, null] : [times[Math.floor(times.length / 2)], times.at(-1)]);
}

function drawCapture(capture) {
  state = capture.state;
  at('capture-start').disabled = state === 'running';
  at('capture-stop').disabled = state !== 'running';
  at('capture-save').disabled = !(capture.bytes > 0);
  at('capture-discard').disabled = state !== 'ended';
  const full = capture.full ? '; its memory is full' : '';
  // Its size changes all the time, and is said in steps.
  write(at('capture-state'), state === 'none' ? 'There is no capture.' : state === 'running' ? `It runs: more than ${count(Math.floor(capture.bytes / 65536) * 64)} of ${count(Math.floor(capture.limit / 1024))} KiB.`
    : `It has ended, with ${count(Math.ceil(capture.bytes / 1024))} KiB${full}.`);
}

function mayShow(isFull) {
  at('access').hidden = isFull;
  at('leave').hidden = !isFull;
  at('sockets-hidden').hidden = isFull;
  at('sockets-table').hidden = !isFull;
  at('sockets-choice').hidden = !isFull;
  at('rtt-section').hidden = !isFull;
  at('capture').hidden = !isFull;
}

function complain(id, text) {
  at(id).hidden = text.length === 0;
  write(at(id), text);
}

async function look() {
  try {
    const isFull = driver.hasToken();
    const [status, all, capture] = await Promise.all([driver.status(), isFull ? driver.sockets() : null, isFull ? driver.capture() : null]);
    if (isFull !== driver.hasToken())
      return;
    complain('connection', '');
    mayShow(isFull);
    drawStatus(status);
    if (all !== null) {
      sockets.take(all, performance.now());
      drawRoundTrips(all.all);
      drawCapture(capture);
    }
  } catch (error) {
    if (error instanceof driver.Refusal && (error.status === 401 || error.status === 403)) {
      forget(error.message);
      return;
    }
    complain('connection', error instanceof driver.Refusal ? error.message : `The driver is not reachable${before === null ? '' : `; what is shown is of ${uptime(before.at)} after its start`}.`);
  }
}

function forget(reason) {
  driver.useToken('');
  sockets.clear();
  mayShow(false);
  complain('refusal', reason);
}

async function run() {
  while (true) {
    if (!document.hidden)
      await look();
    await new Promise(resolve => setTimeout(resolve, every));
  }
}

async function act(action) {
  try {
    complain('refusal', '');
    const capture = await action();
    if (capture !== undefined)
      drawCapture(capture);
  } catch (error) {
    if (error instanceof driver.Refusal && (error.status === 401 || error.status === 403))
      forget(error.message);
    else
      complain('refusal', error instanceof driver.Refusal ? error.message : 'The driver is not reachable.');
  }
}

at('access').addEventListener('submit', event => {
  event.preventDefault();
  complain('refusal', '');
  driver.useToken(at('token').value.trim());
  at('token').value = '';
  look();
});
at('leave').addEventListener('click', () => {
  forget('');
  look();
  at('token').focus();
});
at('detail-close').addEventListener('click', () => {
  sockets.choose(sockets.key);
  at('filter').focus();
});
at('capture-form').addEventListener('submit', event => {
  event.preventDefault();
  act(() => driver.startCapture({ interface: at('capture-interface').value, host: at('capture-host').value.trim(), port: at('capture-port').value.trim() }));
});
at('capture-stop').addEventListener('click', () => act(driver.stopCapture));
at('capture-discard').addEventListener('click', () => act(driver.discardCapture));
at('capture-save').addEventListener('click', () => act(async () => {
  const address = URL.createObjectURL(await driver.captureFile());
  make('a', { href: address, download: 'tapwire.pcapng' }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60000);
}));
document.addEventListener('visibilitychange', () => {
  if (!document.hidden)
    look();
});
run();
