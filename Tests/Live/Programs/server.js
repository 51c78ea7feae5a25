// An HTTP server that answers with a file, and says when it listens.
const http = require('http'), fs = require('fs');
http.createServer((request, response) => fs.createReadStream(process.argv[3]).pipe(response))
    .listen(Number(process.argv[2]), () => console.log('listening'));
