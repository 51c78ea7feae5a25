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
family = connection.family
ttl = (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS) if family == socket.AF_INET6 else (socket.IPPROTO_IP, socket.IP_TTL)
any_address = "::" if family == socket.AF_INET6 else "0.0.0.0"
listener = socket.create_server((any_address, 5400), family=family)
datagrams = socket.socket(family, socket.SOCK_DGRAM)
datagrams.bind((any_address, 5401))
os.kill(int(sys.argv[2]), signal.SIGKILL)
select.select([connection], [], [], 10)
select.select([listener], [], [], 10)
print("connection:", said(connection.getsockname) == name, said(connection.getpeername))
print("options:", said(lambda: connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)),
      said(lambda: connection.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE)), said(lambda: connection.getsockopt(*ttl)),
      said(lambda: connection.setsockopt(socket.SOL_SOCKET, 9999, 1)))
print("read:", said(lambda: connection.recv(1)), said(lambda: connection.recv(1)))
print("listener:", said(listener.getsockname)[:2], said(lambda: listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)), said(listener.accept))
print("datagrams:", said(datagrams.getsockname)[:2], said(lambda: datagrams.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)),
      said(lambda: datagrams.sendto(b"x", (sys.argv[1], 9))))
print("new:", said(lambda: socket.socket(family)))
