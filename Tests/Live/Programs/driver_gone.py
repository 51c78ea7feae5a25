# What a program sees of its sockets when the driver has been killed. Arguments: the address of an echo service on port 7, the driver's process id.
import os
import select
import signal
import socket
import sys


def said(act):
    try:
        return act()
    except OSError as e:
        return e.strerror


connection = socket.create_connection((sys.argv[1], 7))
name = connection.getsockname()
listener = socket.create_server(("0.0.0.0", 5400))
datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
datagrams.bind(("0.0.0.0", 5401))
os.kill(int(sys.argv[2]), signal.SIGKILL)
select.select([connection], [], [], 10)
select.select([listener], [], [], 10)
print("connection:", said(connection.getsockname) == name, said(connection.getpeername))
print("options:", said(lambda: connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)),
      said(lambda: connection.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE)), said(lambda: connection.getsockopt(socket.IPPROTO_IP, socket.IP_TTL)),
      said(lambda: connection.setsockopt(socket.SOL_SOCKET, 9999, 1)))
print("read:", said(lambda: connection.recv(1)), said(lambda: connection.recv(1)))
print("listener:", said(listener.getsockname), said(lambda: listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)), said(listener.accept))
print("datagrams:", said(datagrams.getsockname), said(lambda: datagrams.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)),
      said(lambda: datagrams.sendto(b"x", (sys.argv[1], 9))))
print("new:", said(lambda: socket.socket()))
