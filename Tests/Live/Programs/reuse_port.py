# Workers on one port (SO_REUSEPORT), each with a socket of its own, and clients that ask them who they are.
# Arguments: "tcp" or "udp", "serve" or "ask", the address, the port, and how many workers or clients.
import os
import signal
import socket
import sys

kind, role, address, port, count = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
family = socket.AF_INET6 if ":" in address else socket.AF_INET
kind = socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM


def worker():
    server = socket.socket(family, kind)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    server.bind((address, port))
    if kind == socket.SOCK_STREAM:
        server.listen(128)
    me = str(os.getpid()).encode()
    while True:
        if kind == socket.SOCK_STREAM:
            connection = server.accept()[0]
            connection.sendall(me)
            connection.close()
        else:
            server.sendto(me, server.recvfrom(100)[1])


def ask(client):
    if kind == socket.SOCK_STREAM:
        with socket.create_connection((address, port), 10) as connection:
            return connection.recv(100)
    client.settimeout(1)
    for attempt in range(10):
        client.sendto(b"who", (address, port))
        try:
            return client.recv(100)
        except socket.timeout:
            pass


if role == "serve":
    children = []
    for _ in range(count):
        child = os.fork()
        if child == 0:
            worker()
        children.append(child)
    signal.signal(signal.SIGTERM, lambda *_: ([os.kill(child, signal.SIGKILL) for child in children], os._exit(0)))
    os.wait()
    print("a worker has ended", flush=True)
    [os.kill(child, signal.SIGKILL) for child in children if child]
    sys.exit(1)

answers = {}
unstable = 0
for _ in range(count):
    client = socket.socket(family, socket.SOCK_DGRAM)
    who = ask(client)
    answers[who] = answers.get(who, 0) + 1
    # The same flow goes to the same worker.
    if kind == socket.SOCK_DGRAM:
        unstable += sum(ask(client) != who for _ in range(3))
    client.close()
mean = count / len(answers)
print(f"workers {len(answers)}, lost {answers.get(None, 0)}, unstable {unstable}, even {all(mean / 2 < n < mean * 2 for n in answers.values())}")
