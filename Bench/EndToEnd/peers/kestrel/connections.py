"""Opens COUNT connections to the service of Bench/Kestrel at ADDRESS PORT, asks once on each, and prints what they cost there: bytes of managed memory for each, bytes of the process for each, threads more."""
import resource
import socket
import sys

address, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_NOFILE, (count + 100, count + 100))


def ask(stream, path):
    stream.sendall(f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += more(stream)
    head, body = answer.split(b"\r\n\r\n", 1)
    if not head.startswith(b"HTTP/1.1 200"):
        raise SystemExit(f"{path}: {head.decode()}")
    length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), None)
    while (len(body) < length) if length is not None else (not body.endswith(b"0\r\n\r\n")):
        body += more(stream)
    return body if length is not None else body.split(b"\r\n")[1]


def more(stream):
    part = stream.recv(65536)
    if not part:
        raise SystemExit("The service has closed a connection.")
    return part


def memory(stream):
    return [int(word) for word in ask(stream, "/memory").split()]


control = socket.create_connection((address, port))
before = memory(control)
streams = []
for _ in range(count):
    stream = socket.create_connection((address, port))
    ask(stream, "/small")
    streams.append(stream)
after = memory(control)
print(*((after[i] - before[i]) / count for i in range(2)), after[2] - before[2])
