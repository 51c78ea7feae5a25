# What a client of TCP Fast Open gets from its calls: a line for each. The port after the given one must be closed.
import errno
import select
import socket
import sys

MSG_FASTOPEN = 0x20000000
TCP_FASTOPEN_CONNECT = 30
SERVER = (sys.argv[1], int(sys.argv[2]))
FAMILY = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
CLOSED = (sys.argv[1], int(sys.argv[2]) + 1)


def result(call):
    try:
        return call()
    except OSError as error:
        return errno.errorcode[error.errno]


def open_fast(address, data, wait, flags=0):
    connection = socket.socket(FAMILY)
    connection.setblocking(wait)
    sent = result(lambda: connection.sendto(data, MSG_FASTOPEN | flags, address))
    return connection, sent


def answer_of(connection):
    connection.setblocking(True)
    return result(lambda: connection.recv(100))


def report(what, address, data, wait, flags=0):
    connection, sent = open_fast(address, data, wait, flags)
    with connection:
        print(what, sent, answer_of(connection) if sent == len(data) > 0 else "")


report("no cookie, non-blocking:", SERVER, b"first", wait=False)
report("no cookie or a cookie, blocking:", SERVER, b"second", wait=True)
report("cookie, non-blocking:", SERVER, b"third", wait=False)
report("cookie, blocking:", SERVER, b"fourth", wait=True)
report("cookie, blocking descriptor, MSG_DONTWAIT:", SERVER, b"fifth", wait=True, flags=socket.MSG_DONTWAIT)
report("nothing to send, non-blocking:", SERVER, b"", wait=False)
report("nothing to send, blocking:", SERVER, b"", wait=True)

with socket.socket(FAMILY) as late:
    late.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)
    late.setblocking(False)
    print("TCP_FASTOPEN_CONNECT:", late.connect_ex(SERVER), result(lambda: late.send(b"sixth")), answer_of(late))

with socket.socket(FAMILY) as message:
    print("sendmsg, non-blocking:", end=" ")
    message.setblocking(False)
    print(result(lambda: message.sendmsg([b"sev", b"enth"], [], MSG_FASTOPEN, SERVER)), answer_of(message))

report("refused, blocking:", CLOSED, b"nobody", wait=True)
connection, sent = open_fast(CLOSED, b"nobody", wait=False)
with connection:
    select.select([connection], [], [], 10)
    print("refused, non-blocking:", sent, errno.errorcode.get(connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)))
