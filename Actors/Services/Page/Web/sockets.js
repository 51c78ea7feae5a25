// The table of sockets: the same columns as "tapwire status".
import { age, causes, count, make, rate, size, state, time, write } from './format.js';

// Rows that are on the page at once, unless more are asked for.
const step = 200;

const isListener = row => row.state === 'Listen';
const isDatagram = row => row.state === 'Udp' || row.state === 'Icmp';

// least: left out on a narrow screen.
const columns = [
  { title: 'Remote', text: row => row.remote || '*' },
  { title: 'Local', text: row => row.local, least: true },
  { title: 'State', text: row => state(row.state), least: true },
  { title: 'Process', text: row => row.process },
  { title: 'UID', text: row => row.owner?.user ?? '', number: true, least: true },
  { title: 'Limited by', text: row => row.tcp?.limitedBy ?? '' },
  { title: 'Out', text: row => row.out === null ? '' : rate(row.out), value: row => row.out ?? -1, number: true },
  { title: 'In', text: row => row.in === null ? '' : rate(row.in), value: row => row.in ?? -1, number: true },
  { title: 'RTT', text: row => row.rtt > 0 ? time(row.rtt) : '', value: row => row.rtt, number: true },
  { title: 'Resent', text: row => row.tcp?.segmentsSentAgain > 0 ? count(row.tcp.segmentsSentAgain) : '', value: row => row.tcp?.segmentsSentAgain ?? 0, number: true, least: true },
  { title: 'Send-Q', text: row => count(row.sendQueue), value: row => row.sendQueue, number: true, least: true },
  { title: 'Recv-Q', text: row => count(row.receiveQueue), value: row => row.receiveQueue, number: true, least: true },
  { title: 'Age', text: row => age(row.ageSeconds), value: row => row.ageSeconds, number: true, least: true },
  { title: 'Wire', text: row => row.interface ?? '', least: true },
];

const keyOf = row => `${row.tcp ? '' : row.state} ${row.local} ${row.remote}`;

function processOf(owner) {
  if (owner === undefined)
    return '';
  return owner.process === undefined ? [owner.kind, owner.name].filter(part => part).join(' ') : `${owner.name || '?'} (${owner.process})`;
}

export class Sockets {
  // chosen: called when the user chooses a connection, or none.
  constructor(chosen) {
    this.chosen = chosen;
    this.key = null;
    this.rows = [];
    this.before = new Map();
    this.before.at = 0;
    this.lines = new Map();
    this.order = 6;
    this.isUp = false;
    this.limit = step;
    this.isComplete = true;
    this.filter = document.getElementById('filter');
    this.kind = document.getElementById('kind');
    this.more = document.getElementById('more');
    this.place = document.getElementById('sockets-table');
    this.heads = columns.map((column, index) => {
      const button = make('button', { type: 'button' }, column.title);
      button.addEventListener('click', () => this.sort(index));
      return make('th', { scope: 'col', class: this.classOf(column) }, button);
    });
    this.body = make('tbody');
    this.caption = make('caption', {}, 'Headers sort; a remote address opens the connection\'s details.');
    this.place.append(make('table', {}, this.caption, make('thead', {}, make('tr', {}, ...this.heads)), this.body));
    this.filter.addEventListener('input', () => this.narrow());
    this.kind.addEventListener('change', () => this.narrow());
    this.more.addEventListener('click', () => {
      this.limit += step;
      this.draw();
    });
    document.addEventListener('keydown', event => {
      if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey || event.target.matches('input, select'))
        return;
      event.preventDefault();
      this.filter.focus();
    });
    this.markSort();
  }

  classOf(column) {
    return [column.number ? 'number' : '', column.least ? 'least' : ''].filter(part => part).join(' ');
  }

  narrow() {
    this.limit = step;
    this.draw();
  }

  sort(index) {
    this.isUp = this.order === index ? !this.isUp : !columns[index].number;
    this.order = index;
    this.markSort();
    this.draw();
  }

  markSort() {
    this.heads.forEach((head, index) => {
      if (index === this.order)
        head.setAttribute('aria-sort', this.isUp ? 'ascending' : 'descending');
      else
        head.removeAttribute('aria-sort');
    });
  }

  choose(key) {
    this.key = this.key === key ? null : key;
    this.draw();
    this.chosen(this.current());
  }

  current() {
    return this.rows.find(row => keyOf(row) === this.key) ?? null;
  }

  // Takes what the driver has answered; rates come from the difference to the answer before.
  take({ all, isComplete }, now) {
    const seconds = (now - this.before.at) / 1000;
    const next = new Map();
    next.at = now;
    for (const row of all) {
      row.process = processOf(row.owner);
      row.rtt = row.tcp?.roundTripMicroseconds ?? 0;
      row.out = row.in = null;
      if (row.tcp === undefined)
        continue;
      const key = keyOf(row);
      const then = this.before.get(key);
      if (then !== undefined && seconds > 0 && row.tcp.bytesDelivered >= then.bytesDelivered && row.tcp.bytesReceived >= then.bytesReceived) {
        row.out = (row.tcp.bytesDelivered - then.bytesDelivered) / seconds;
        row.in = (row.tcp.bytesReceived - then.bytesReceived) / seconds;
      }
      next.set(key, row.tcp);
    }
    [this.rows, this.before, this.isComplete] = [all, next, isComplete];
    this.draw();
    if (this.key !== null)
      this.chosen(this.current());
  }

  clear() {
    this.rows = [];
    this.key = null;
    this.before = new Map();
    this.before.at = 0;
    this.draw();
    this.chosen(null);
  }

  wanted() {
    const terms = this.filter.value.toLowerCase().split(/\s+/).filter(term => term);
    const kind = this.kind.value;
    return this.rows.filter(row =>
      (kind === 'all' || (kind === 'listen' ? isListener(row) : kind === 'datagram' ? isDatagram(row) : !isListener(row) && !isDatagram(row)))
      && terms.every(term => columns.some(column => String(column.text(row)).toLowerCase().includes(term))));
  }

  draw() {
    const wanted = this.wanted();
    const column = columns[this.order];
    const value = column.value ?? (row => String(column.text(row)));
    const sign = this.isUp ? 1 : -1;
    wanted.sort((one, other) => {
      const [a, b] = [value(one), value(other)];
      return a < b ? -sign : a > b ? sign : keyOf(one) < keyOf(other) ? -1 : 1;
    });
    const shown = wanted.slice(0, this.limit);
    const focused = document.activeElement;
    const lines = new Map(shown.map(row => [keyOf(row), this.line(row)]));
    const places = [...lines.values()];
    // Rows that stay where they are are not touched: moving one would take the focus from it.
    if (places.length !== this.body.rows.length || places.some((line, index) => this.body.rows[index] !== line)) {
      this.body.replaceChildren(...places);
      if (focused !== document.activeElement && this.body.contains(focused))
        focused.focus({ preventScroll: true });
    }
    this.lines = lines;
    this.more.hidden = wanted.length <= shown.length;
    const beyond = this.isComplete ? '' : ` of the first ${count(this.rows.length)}`;
    write(document.getElementById('count'), this.rows.length === 0 ? '' : `${count(shown.length)} of ${count(wanted.length)} shown${beyond}`);
  }

  line(row) {
    const key = keyOf(row);
    let line = this.lines.get(key);
    if (line === undefined) {
      line = make('tr');
      columns.forEach((column, index) => {
        const cell = make(index === 0 ? 'th' : 'td', { ...(index === 0 ? { scope: 'row' } : {}), class: this.classOf(column) });
        if (index === 0 && row.tcp !== undefined) {
          const button = make('button', { type: 'button', 'aria-expanded': 'false', 'aria-controls': 'detail' });
          button.addEventListener('click', () => this.choose(key));
          cell.append(button);
        }
        line.append(cell);
      });
    }
    columns.forEach((column, index) => write(line.cells[index].firstElementChild ?? line.cells[index], String(column.text(row))));
    line.classList.toggle('chosen', key === this.key);
    line.cells[0].firstElementChild?.setAttribute('aria-expanded', String(key === this.key));
    return line;
  }
}

// The parts of a connection's details.
export function details(row) {
  const tcp = row.tcp;
  const segment = Math.max(1, tcp.segmentSize);
  return {
    title: `${row.local} with ${row.remote}${row.process ? `, ${row.process}` : ''}`,
    cause: `Limited by ${tcp.limitedBy}. ${causes[tcp.limitedBy] ?? ''}`,
    values: [
      ['Delivered', size(tcp.bytesDelivered)], ['Received', size(tcp.bytesReceived)], ['In flight', size(tcp.bytesInFlight)],
      ['Round trip', `${time(tcp.roundTripMicroseconds)}, least ${time(tcp.minRoundTripMicroseconds)}`], ['Retransmission time-out', time(tcp.retransmissionTimeoutMicroseconds)],
      ['Congestion control', `${tcp.congestionControl}, window ${count(Math.floor(tcp.congestionWindow / segment))} segments of ${segment} B`],
      ['Windows', `peer's ${size(tcp.sendWindow)}, own ${size(tcp.receiveWindow)}`], ['Pace', tcp.pacingBytesPerSecond > 0 ? rate(tcp.pacingBytesPerSecond) : 'none'],
      ['Sent again', `${count(tcp.segmentsSentAgain)} segments`], ['Lost now', size(tcp.bytesLost)], ['Time-outs in a row', count(tcp.timeouts ?? 0)], ['Reordering', tcp.reorderingSeen ? 'seen' : 'not seen'],
    ],
  };
}
