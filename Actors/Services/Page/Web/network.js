// Wires with their neighbours and routes: a picture, and the same as tables. And what was dropped, by reason.
import { count, make, makeSvg, size, table } from './format.js';

const mostNeighbors = 6;
const [lineHeight, boxHeight] = [20, 36];

// Counters of frames, segments and requests that were not used.
const bad = /Drop|Overflow|Error|Errs|Discard|Fail|Bad|Refused|Truncated|TooShort|NoPorts|Unreach|MemErr|OutOfWindow|BeyondWindow|Malformed|Faults|TooMany|Unknown|NoRoutes|Martian|NotForUs/;

const isAway = neighbor => neighbor.state === 'FAILED' || neighbor.state === 'INCOMPLETE';

const cut = (text, length) => text.length > length ? `${text.slice(0, length - 1)}…` : text;

function picture(interfaces) {
  const parts = [];
  let y = 8;
  const middle = [];
  for (const each of interfaces) {
    const gateways = new Set((each.routes ?? []).map(route => route.gateway).filter(gateway => gateway));
    const stations = (each.neighbors ?? []).map(neighbor => ({ text: neighbor.address, isAway: isAway(neighbor), isGateway: gateways.has(neighbor.address) }));
    for (const gateway of gateways) {
      if (!stations.some(station => station.text === gateway))
        stations.push({ text: gateway, isAway: false, isGateway: true });
    }
    for (const peer of each.wire.peers ?? [])
      stations.push({ text: peer.endpoint || 'peer without address', isAway: peer.unansweredSeconds !== undefined, isGateway: false });
    stations.sort((one, other) => other.isGateway - one.isGateway || other.isAway - one.isAway);
    const shown = stations.slice(0, mostNeighbors);
    const rows = shown.length + (stations.length > shown.length ? 1 : 0);
    const block = Math.max(boxHeight, rows * lineHeight);
    const center = y + block / 2;
    middle.push({ center, isUp: each.wire.up });
    parts.push(makeSvg('rect', { x: 96, y: center - boxHeight / 2, width: 138, height: boxHeight, rx: 6 }),
      makeSvg('text', { x: 104, y: center - 3 }, cut(`${each.name}${each.wire.up ? '' : ' (down)'}`, 18)),
      makeSvg('text', { x: 104, y: center + 12, class: 'soft' }, cut(each.addresses[0] ?? 'no address', 15) + (each.addresses.length > 1 ? ` +${each.addresses.length - 1}` : '')));
    if (!each.wire.up)
      parts.at(-2).setAttribute('class', 'broken');
    shown.forEach((station, index) => {
      const at = center - rows * lineHeight / 2 + (index + .5) * lineHeight;
      parts.push(makeSvg('line', { x1: 234, y1: center, x2: 258, y2: at, class: station.isAway || !each.wire.up ? 'broken' : '' }),
        makeSvg('text', { x: 262, y: at + 4, class: station.isAway ? 'broken' : '' }, cut(`${station.text}${station.isGateway ? ' (gateway)' : ''}${station.isAway ? ' (no answer)' : ''}`, 27)));
    });
    if (stations.length > shown.length)
      parts.push(makeSvg('text', { x: 262, y: center + (rows / 2 - .5) * lineHeight + 4, class: 'soft' }, `and ${stations.length - shown.length} more`));
    y += block + 12;
  }
  const height = y;
  const host = (middle[0].center + middle.at(-1).center) / 2;
  for (const { center, isUp } of middle)
    parts.unshift(makeSvg('line', { x1: 72, y1: host, x2: 96, y2: center, class: isUp ? '' : 'broken' }));
  parts.push(makeSvg('rect', { x: 4, y: host - boxHeight / 2, width: 68, height: boxHeight, rx: 6 }), makeSvg('text', { x: 11, y: host + 4 }, 'this host'));
  const told = interfaces.map(each => `${each.name} is ${each.wire.up ? 'up' : 'down'}`).join(', ');
  return makeSvg('svg', { class: 'topology', viewBox: `0 0 430 ${height}`, role: 'img', 'aria-label': `This host and its wires: ${told}. The tables below have the same.` }, ...parts);
}

const isOpen = new Set();
let latest = '';

export function drawNetwork(interfaces, isFull) {
  // Nothing is touched while nothing has changed, so that a reader in a table stays where he is.
  const key = JSON.stringify([interfaces.map(each => [each.name, each.wire.up, each.addresses, each.neighbors, each.routes, each.wire.peers?.map(peer => [peer.endpoint, peer.unansweredSeconds === undefined])]), isFull]);
  const wires = table('Wires', [['Name'], ['State'], ['Received', true], ['Sent', true], ['Not sent', true]],
    interfaces.map(each => [each.name, each.wire.up ? 'up' : 'DOWN', size(each.wire.bytesReceived), size(each.wire.bytesSent), count(each.wire.framesDropped + each.wire.framesRefused)]));
  const place = document.getElementById('network');
  if (key === latest) {
    place.querySelector('table').replaceWith(wires);
    return;
  }
  latest = key;
  const parts = [picture(interfaces), wires];
  if (isFull) {
    const neighbors = interfaces.flatMap(each => each.neighbors.map(neighbor => [neighbor.address, neighbor.hardwareAddress ?? '', neighbor.state, each.name]));
    const routes = interfaces.flatMap(each => each.routes.map(route => [route.destination, route.gateway || 'direct', each.name, String(route.metric)]));
    parts.push(fold('Neighbours', neighbors.length, table('Stations on the networks', [['Address'], ['Hardware address'], ['State'], ['Wire']], neighbors)),
      fold('Routes', routes.length, table('Routes, the longest prefix first', [['Destination'], ['Gateway'], ['Wire'], ['Metric', true]], routes)));
  }
  place.replaceChildren(...parts);
}

function fold(name, number, content) {
  const place = make('details', isOpen.has(name) ? { open: '' } : {}, make('summary', {}, `${name} (${count(number)})`), make('div', { class: 'table', role: 'region', 'aria-label': name, tabindex: '0' }, content));
  place.addEventListener('toggle', () => place.open ? isOpen.add(name) : isOpen.delete(name));
  return place;
}

let first = null;

export function drawDrops(status) {
  const now = new Map(Object.entries(status.counters).filter(([name]) => bad.test(name)));
  for (const each of status.interfaces) {
    if (each.wire.framesDropped > 0)
      now.set(`${each.name}: the wire took nothing`, each.wire.framesDropped);
    if (each.wire.framesRefused > 0)
      now.set(`${each.name}: the wire refused`, each.wire.framesRefused);
  }
  for (const port of status.ports ?? []) {
    if (port.refused + port.failed + port.datagramsDropped > 0)
      now.set(port.name, port.refused + port.failed + port.datagramsDropped);
  }
  first ??= now;
  const rows = [...now].map(([name, value]) => ({ name, value, since: value - (first.get(name) ?? 0) })).sort((one, other) => other.since - one.since || other.value - one.value);
  const place = document.getElementById('drops');
  place.replaceChildren(rows.length === 0 ? make('p', { class: 'quiet' }, 'Nothing so far.')
    : make('div', { class: 'table', role: 'region', 'aria-label': 'Drops by reason', tabindex: '0' }, table('Counters, as in "tapwire status"', [['Reason'], ['Since this page', true], ['Total', true]],
      rows.map(row => [row.name, row.since > 0 ? `+${count(row.since)}` : '0', count(row.value)]))));
}

// A driver that was started again counts from nothing.
export function forgetDrops() {
  first = null;
}
