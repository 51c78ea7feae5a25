// Listens on all addresses, of both families or with "only" of IPv6 alone, and tells each client whose address it has.
const net = require('net');
const [port, only] = process.argv.slice(2);
net.createServer(client => client.end(`${client.remoteAddress}\n`)).listen({ host: '::', port: Number(port), ipv6Only: only === 'only' });
