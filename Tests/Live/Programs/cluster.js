// A server whose workers share a port. Arguments: address and port.
const cluster = require('cluster'), net = require('net');
const [address, port] = process.argv.slice(2);
if (cluster.isPrimary) {
  cluster.schedulingPolicy = process.argv[4] === 'shared' ? cluster.SCHED_NONE : cluster.SCHED_RR;
  for (let i = 0; i < 2; i++) cluster.fork();
} else {
  net.createServer((s) => s.end('from a worker\n')).listen(Number(port), address);
}
