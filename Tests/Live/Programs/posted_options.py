# A program that sets options, and the driver that it asks, its child: says which requests came. Arguments: the link's path, and whether the driver "takes" options
# without an answer or "refuses" them, as one does that does not know the request; "threads": the program has one more.
import array
import os
import socket
import struct
import sys
import threading
import time

SOCKET, SET_OPTION, POST_OPTION, ANSWER = 1, 9, 28, 0x8000
ENOSYS = 38

path, manner = sys.argv[1:]
listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
listener.listen(1)
ends = []
reading, writing = os.pipe()


def receive(connection, length):
    data = b""
    while len(data) < length:
        more = connection.recv(length - len(data))
        if not more:
            os._exit(0)
        data += more
    return data


def serve():
    connection = listener.accept()[0]
    connection.sendall(receive(connection, 16))
    while True:
        length, kind, _, number, _ = struct.unpack("<IHHII", receive(connection, 16))
        receive(connection, length - 16)
        os.write(writing, bytes([kind]))
        if kind == POST_OPTION and manner != "refuses":
            continue
        body, control = b"", []
        if kind == SOCKET:
            end, own = socket.socketpair()
            ends.append((end, own))
            body = struct.pack("<Q", struct.unpack("<Q", own.getsockopt(socket.SOL_SOCKET, 57, 8))[0])  # SO_COOKIE
            control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [own.fileno()]))]
        elif kind != SET_OPTION and kind != POST_OPTION:
            body = struct.pack("<i", 1)
        error = ENOSYS if kind == POST_OPTION else 0
        connection.sendmsg([struct.pack("<IHHII", 16 + len(body), kind | ANSWER, 0, number, error) + body], control)


if os.fork() == 0:
    os.close(reading)
    serve()
os.close(writing)
listener.close()
if manner == "threads":
    threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
program = socket.socket(socket.AF_INET)
program.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
program.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
program.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
program.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 0)  # the driver says what Linux does of this
program.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
program.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
program.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
print(*os.read(reading, 100), flush=True)
os._exit(0)
