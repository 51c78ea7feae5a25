// Fetches a URL and prints its body's SHA-256.
const http = require('http'), crypto = require('crypto');
http.get(process.argv[2], response => {
    const hash = crypto.createHash('sha256');
    response.on('data', chunk => hash.update(chunk));
    response.on('end', () => console.log(hash.digest('hex')));
});
