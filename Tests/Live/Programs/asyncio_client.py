# Fetches a file over many connections at once, and prints how many bodies were the same as the first.
import asyncio
import hashlib
import sys


async def fetch(host, port, path):
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(f"GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
    await writer.drain()
    answer = await reader.read(-1)
    writer.close()
    await writer.wait_closed()
    return hashlib.sha256(answer.split(b"\r\n\r\n", 1)[1]).hexdigest()


async def main():
    host, port, path, count = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    digests = await asyncio.gather(*(fetch(host, port, path) for _ in range(count)))
    print(digests.count(digests[0]), digests[0])


asyncio.run(main())
