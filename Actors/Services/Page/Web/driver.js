// The driver's figures (docs/status.md), and what an operator may ask of it.

const stored = 'tapwire-token';

// Pages of 512 sockets; what is beyond them is said, and not shown.
const mostPages = 8;

let token = sessionStorage.getItem(stored) ?? '';

export const hasToken = () => token.length > 0;

export function useToken(text) {
  token = text;
  if (text.length > 0)
    sessionStorage.setItem(stored, text);
  else
    sessionStorage.removeItem(stored);
}

export class Refusal extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

async function ask(path, method = 'GET', patience = 8000) {
  const headers = token.length > 0 ? { Authorization: `Bearer ${token}` } : {};
  const answer = await fetch(path, { method, headers, cache: 'no-store', credentials: 'omit', redirect: 'error', signal: AbortSignal.timeout(patience) });
  if (!answer.ok)
    throw new Refusal(answer.status, (await answer.text()).trim());
  return answer;
}

const json = async (path, method) => (await ask(path, method)).json();

export const status = () => json('/status.json');

export async function sockets() {
  const all = [];
  let from = '0';
  for (let page = 0; page < mostPages; page++) {
    // A cursor has 64 bits, more than a number of JavaScript's: it stays the text that the driver has written.
    const text = await (await ask(`/sockets.json?from=${from}`)).text();
    all.push(...JSON.parse(text).sockets);
    const next = /"next":(\d+)\}$/.exec(text);
    if (next === null)
      return { all, isComplete: true };
    from = next[1];
  }
  return { all, isComplete: false };
}

export const capture = () => json('/capture.json');

export const startCapture = filter => json(`/capture/start?${new URLSearchParams(filter)}`, 'POST');

export const stopCapture = () => json('/capture/stop', 'POST');

export const discardCapture = () => json('/capture/discard', 'POST');

// A gibibyte may take its time.
export const captureFile = async () => (await ask('/capture.pcapng', 'GET', 600000)).blob();
