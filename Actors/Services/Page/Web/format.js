// Numbers and names for people.

const sizes = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
const rates = ['bit/s', 'kbit/s', 'Mbit/s', 'Gbit/s', 'Tbit/s'];

const three = value => value < 9.995 ? value.toFixed(2) : value < 99.95 ? value.toFixed(1) : value.toFixed(0);

function scaled(value, step, units) {
  let unit = 0;
  for (; value >= 999.5 && unit < units.length - 1; unit++)
    value /= step;
  return unit === 0 ? `${value.toFixed(0)} ${units[0]}` : `${three(value)} ${units[unit]}`;
}

export const size = bytes => scaled(bytes, 1024, sizes);

// Of bytes a second.
export const rate = bytes => scaled(bytes * 8, 1000, rates);

export const time = microseconds => microseconds < 1000 ? `${Math.round(microseconds)} us` : microseconds < 1e6 ? `${three(microseconds / 1000)} ms` : `${three(microseconds / 1e6)} s`;

export function age(seconds) {
  if (seconds < 120)
    return `${Math.floor(seconds)} s`;
  if (seconds < 7200)
    return `${Math.floor(seconds / 60)} min`;
  return seconds < 172800 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86400)} d`;
}

export function uptime(seconds) {
  const [days, hours, minutes, rest] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60, Math.floor(seconds) % 60];
  return (days > 0 ? `${days} d ` : '') + [hours, minutes, rest].map(part => String(part).padStart(2, '0')).join(':');
}

export const count = number => number.toLocaleString('en-US');

// As ss has them.
const states = { Established: 'ESTAB', SynSent: 'SYN-SENT', SynReceived: 'SYN-RECV', FinWait1: 'FIN-WAIT-1', FinWait2: 'FIN-WAIT-2', CloseWait: 'CLOSE-WAIT', LastAck: 'LAST-ACK', TimeWait: 'TIME-WAIT' };

export const state = name => states[name] ?? name.toUpperCase();

// What keeps a connection from sending more, and where to look.
export const causes = {
  'application': 'All that the program has written is sent: if this is slow, look at the program.',
  'handshake': 'The connection is not there yet: the peer has not answered.',
  'receiver window': "The peer's program does not read, or its buffer is too small for the path: look at the peer.",
  'congestion window': 'The network takes no more: it is what a transfer should be limited by.',
  'pacing': 'The pace of the congestion control, or SO_MAX_PACING_RATE.',
  'recovery': 'Lost segments are sent again, as happens now and then on a full path.',
  'loss': 'The path loses packets again and again, which keeps the congestion window small: look at the network.',
  'timeout': 'The peer has not answered before the retransmission timer ran out: it, or the network, is away.',
  'wire': 'The wire takes nothing now, or other connections have their turn.',
  'small segment': "Nagle's algorithm, or a cork: what is left is less than a segment.",
};

// Makes an element with attributes and children; a child that is no node is text.
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes))
    element.setAttribute(key, value);
  element.append(...children);
  return element;
}

export function makeSvg(name, attributes = {}, ...children) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes))
    element.setAttribute(key, value);
  element.append(...children);
  return element;
}

// A table with a caption; the cells of a row are texts, and the first is the row's header.
export function table(caption, columns, rows) {
  const head = make('tr', {}, ...columns.map(([title, isNumber]) => make('th', isNumber ? { scope: 'col', class: 'number' } : { scope: 'col' }, title)));
  const body = rows.map(cells => make('tr', {}, ...cells.map((cell, index) => make(index === 0 ? 'th' : 'td', { ...(index === 0 ? { scope: 'row' } : {}), ...(columns[index][1] ? { class: 'number' } : {}) }, cell))));
  return make('table', { class: 'plain' }, make('caption', {}, caption), make('thead', {}, head), make('tbody', {}, ...body));
}

// Changes what is on the page only where it differs: a text that is written again is read again by some screen readers.
export function write(element, text) {
  if (element.textContent !== text)
    element.textContent = text;
}
