"""What a socket is after its first destination has turned out to be the host's, as text: the same on the kernel's sockets. Argument: the host's address."""
import os, select, signal, socket, struct, sys, fcntl

HOST = sys.argv[1]
FAMILY = socket.AF_INET6 if ":" in HOST else socket.AF_INET
S, T = socket.SOL_SOCKET, socket.IPPROTO_TCP
I, TTL, TOS = (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, socket.IPV6_TCLASS) if FAMILY == socket.AF_INET6 else (socket.IPPROTO_IP, socket.IP_TTL, socket.IP_TOS)

listener = socket.create_server((HOST, 0), family=FAMILY)
PORT = listener.getsockname()[1]

OPTIONS = [
    (S, socket.SO_REUSEADDR, 1), (S, socket.SO_KEEPALIVE, 1), (S, socket.SO_SNDBUF, 70000), (S, socket.SO_RCVBUF, 90000), (S, socket.SO_PRIORITY, 3),
    (S, socket.SO_LINGER, struct.pack("ii", 1, 5)), (S, socket.SO_OOBINLINE, 1), (S, socket.SO_RCVTIMEO, struct.pack("ll", 3, 0)), (S, socket.SO_SNDTIMEO, struct.pack("ll", 4, 0)),
    (S, socket.SO_RCVLOWAT, 5),
    (T, socket.TCP_NODELAY, 1), (T, socket.TCP_KEEPIDLE, 77), (T, socket.TCP_KEEPINTVL, 11), (T, socket.TCP_KEEPCNT, 4), (T, socket.TCP_USER_TIMEOUT, 9000),
    (T, socket.TCP_CONGESTION, b"reno"), (I, TTL, 33), (I, TOS, 16),
]


def show(fd, options=OPTIONS):
    for level, name, value in options:
        print(level, name, fd.getsockopt(level, name, 16).rstrip(b"\0").hex())


def set_all(fd, options=OPTIONS):
    for level, name, value in options:
        fd.setsockopt(level, name, value)


# Every option, by a connect.
a = socket.socket(FAMILY)
set_all(a)
a.setsockopt(S, socket.SO_RCVLOWAT, 1)
a.connect((HOST, PORT))
show(a)
b, _ = listener.accept()

# Copies that were made before, and what belongs to each.
c = socket.socket(FAMILY)
copy, kept, high = c.dup(), os.dup(c.fileno()), fcntl.fcntl(c.fileno(), fcntl.F_DUPFD_CLOEXEC, 200)
os.set_inheritable(kept, True)
c.setsockopt(T, socket.TCP_KEEPIDLE, 55)
copy.setsockopt(T, socket.TCP_KEEPCNT, 6)
one, two = select.epoll(), select.epoll()
one.register(c, select.EPOLLIN)
two.register(copy, select.EPOLLIN | select.EPOLLET)
two.register(high, select.EPOLLIN)
c.connect((HOST, PORT))
d, _ = listener.accept()
print("peer of the copy", copy.getpeername()[0] == HOST, copy.getsockopt(T, socket.TCP_KEEPIDLE), c.getsockopt(T, socket.TCP_KEEPCNT))
d.sendall(b"hello")
print("events", len(one.poll(5)), sorted(fd == high for fd, _ in two.poll(5)))
print("read", copy.recv(2), os.read(kept, 1), os.read(high, 2), os.get_inheritable(kept), os.get_inheritable(high))
c.close()
print("written", copy.send(b"x"), d.recv(1))

# A child has its parent's copies, and what was set.
e = socket.socket(FAMILY)
e.setsockopt(T, socket.TCP_KEEPIDLE, 44)
sys.stdout.flush()
pid = os.fork()
if pid == 0:
    e.setsockopt(T, socket.TCP_KEEPINTVL, 22)
    e.connect((HOST, PORT))
    print("child", e.getsockopt(T, socket.TCP_KEEPIDLE), e.getsockopt(T, socket.TCP_KEEPINTVL))
    sys.stdout.flush()
    os._exit(0)
os.waitpid(pid, 0)
listener.accept()

# Datagrams, by send; flags and the owner of signals.
f = socket.socket(FAMILY, socket.SOCK_DGRAM)
g = socket.socket(FAMILY, socket.SOCK_DGRAM)
g.bind((HOST, 0))
datagram = [(S, socket.SO_BROADCAST, 1), (S, socket.SO_RCVBUF, 90000), (I, TTL, 9)]
set_all(f, datagram)
f.setblocking(False)
fcntl.fcntl(f, fcntl.F_SETOWN, os.getpid())
again = f.dup()
f.sendto(b"datagram", g.getsockname())
show(f, datagram)
text, sender = g.recvfrom(100)
g.sendto(b"answer", sender)
select.select([again], [], [], 5)
print(text, again.recv(100), fcntl.fcntl(again, fcntl.F_GETOWN) == os.getpid(), again.gettimeout(), bool(fcntl.fcntl(f, fcntl.F_GETFL) & os.O_NONBLOCK))
