# What a program sees of IPv6: prints it, so that it can be compared. Arguments: own address, peer's address, an address that nobody has, and the part.
import errno
import select
import socket
import struct
import sys

OWN, PEER, NOWHERE, PART = sys.argv[1:5]
V6 = socket.IPPROTO_IPV6
RECVHOPLIMIT, HOPLIMIT, RECVTCLASS, TCLASS, RECVPKTINFO, PKTINFO = 51, 52, 66, 67, 49, 50
RECVERR, MTU_DISCOVER, MTU, DONTFRAG, ORIGDSTADDR = 25, 23, 24, 62, 74
NAMES = {(V6, HOPLIMIT): "hop limit", (V6, TCLASS): "class", (V6, PKTINFO): "info", (V6, ORIGDSTADDR): "original", (0, 2): "ttl", (0, 1): "tos", (0, 8): "info4"}


def say(*words):
    print(*words)


def tried(call, *arguments):
    try:
        return call(*arguments)
    except OSError as error:
        return errno.errorcode[error.errno]


def control(messages):
    for level, kind, data in messages:
        name = NAMES.get((level, kind), f"{level}:{kind}")
        if kind == PKTINFO and level == V6:
            say("  ", name, socket.inet_ntop(socket.AF_INET6, data[:16]) in (OWN, f"::ffff:{OWN}"))
        elif level == V6 and kind == ORIGDSTADDR:
            say("  ", name, socket.inet_ntop(socket.AF_INET6, data[8:24]) == OWN, len(data))
        elif len(data) in (1, 4):
            say("  ", name, data[0])
        else:
            say("  ", name, len(data))


def datagram_socket():
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    s.settimeout(10)
    return s


def received():
    s = datagram_socket()
    for option in (RECVHOPLIMIT, RECVTCLASS, RECVPKTINFO, ORIGDSTADDR):
        say(option, tried(s.setsockopt, V6, option, 1), s.getsockopt(V6, option))
    s.setsockopt(socket.IPPROTO_IP, 12, 1)  # IP_RECVTTL is for IPv4 packets
    s.bind(("::", 0))
    for ancillary in ([], [(V6, HOPLIMIT, struct.pack("i", 7))], [(V6, TCLASS, struct.pack("i", 0x20))], [(V6, HOPLIMIT, struct.pack("i", -1))]):
        s.sendmsg([b"question"], ancillary, 0, (PEER, 7007))
        data, messages, flags, sender = s.recvmsg(100, 500)
        say(data, flags, sender[0] == PEER, sender[2:])
        control(messages)
    for ancillary in ([(V6, HOPLIMIT, struct.pack("i", 256))], [(V6, TCLASS, struct.pack("i", -2))], [(V6, PKTINFO, b"short")],
                      [(V6, PKTINFO, socket.inet_pton(socket.AF_INET6, "::ffff:192.0.2.1") + struct.pack("i", 0))],
                      [(V6, PKTINFO, socket.inet_pton(socket.AF_INET6, "2001:db8:bad::9") + struct.pack("i", 0))]):
        say(tried(s.sendmsg, [b"x"], ancillary, 0, (PEER, 7007)))
    own = socket.inet_pton(socket.AF_INET6, OWN) + struct.pack("i", 0)
    say(tried(s.sendmsg, [b"x"], [(V6, PKTINFO, own)], 0, (PEER, 7007)), s.recv(10))


def errors():
    s = datagram_socket()
    s.setsockopt(V6, RECVERR, 1)
    say(s.getsockopt(V6, RECVERR))
    s.sendto(b"to nobody", (PEER, 7999))
    poll = select.poll()
    poll.register(s, select.POLLIN)
    say([event for _, event in poll.poll(10000)])
    data, messages, flags, destination = s.recvmsg(100, 500, socket.MSG_ERRQUEUE)
    say(data, flags == socket.MSG_ERRQUEUE, destination[0] == PEER, destination[1])
    for level, kind, value in messages:
        number, origin, icmp, code = struct.unpack("IBBB", value[:7])
        say("  ", level, kind, errno.errorcode[number], origin, icmp, code, socket.inet_ntop(socket.AF_INET6, value[24:40]) == PEER)
    s.setblocking(False)
    say(tried(s.recvmsg, 100, 500, socket.MSG_ERRQUEUE))
    say(s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) in (0, errno.ECONNREFUSED))
    c = datagram_socket()
    c.connect((PEER, 7999))
    c.send(b"x")
    say(tried(c.recv, 10))


def lengths():
    s = datagram_socket()
    s.connect((PEER, 7007))
    say(s.getsockopt(V6, MTU), s.getpeername()[0] == PEER, s.getsockname()[0] == OWN)
    for size in (0, 1, 1452, 1453, 20000, 65507, 65527):
        s.send(bytes(size))
        say(size, len(s.recv(70000)))
    say(tried(s.send, bytes(65528)), tried(s.send, bytes(70000)))
    s.setsockopt(V6, MTU_DISCOVER, 2)
    say(tried(s.send, bytes(1453)), tried(s.send, bytes(1452)), len(s.recv(70000)))
    s.setsockopt(V6, MTU_DISCOVER, 0)
    say(tried(s.send, bytes(1453)), len(s.recv(70000)))
    s.setsockopt(V6, DONTFRAG, 7)
    say(s.getsockopt(V6, DONTFRAG), tried(s.send, bytes(1453)), tried(s.send, bytes(1452)), len(s.recv(70000)))
    s.setsockopt(V6, DONTFRAG, b"")
    say(s.getsockopt(V6, DONTFRAG), tried(s.send, bytes(1453)), len(s.recv(70000)))


def streams():
    both = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    both.bind(("::", 0))
    both.listen()
    port = both.getsockname()[1]
    say(both.getsockopt(V6, socket.IPV6_V6ONLY), both.getsockname()[0])
    other = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    say("both families, IPv4:", tried(other.bind, ("0.0.0.0", port)))
    only = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    only.setsockopt(V6, socket.IPV6_V6ONLY, 1)
    only.bind(("::", 0))
    only.listen()
    port = only.getsockname()[1]
    other = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    say("IPv6 alone, IPv4:", tried(other.bind, ("0.0.0.0", port)))
    for target in (OWN,):
        c = socket.create_connection((target, both.getsockname()[1]), 10)
        a, peer = both.accept()
        say(len(peer), peer[0] == target, a.getsockname()[0] == target, peer[1] == c.getsockname()[1], c.getpeername()[2:])
        c.sendall(b"hello")
        c.shutdown(socket.SHUT_WR)
        say(a.recv(10), a.recv(10))
    say(tried(socket.create_connection, (PEER, 7998), 10))
    say(tried(socket.create_connection, (NOWHERE, 7998), 10))
    say(tried(socket.create_connection, ("2001:db8:bad::1", 7998), 10))
    bound = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    say(tried(bound.bind, ("2001:db8:bad::2", 0)), tried(bound.bind, (OWN, 0)))
    say(tried(bound.connect, ("::ffff:192.0.2.1", 9)))
    for option in (socket.IPV6_UNICAST_HOPS, TCLASS, 70, 62):
        say(option, bound.getsockopt(V6, option))
    bound.setsockopt(V6, socket.IPV6_UNICAST_HOPS, 9)
    say(bound.getsockopt(V6, socket.IPV6_UNICAST_HOPS), tried(bound.setsockopt, V6, socket.IPV6_UNICAST_HOPS, 256), tried(bound.setsockopt, V6, TCLASS, 300))


{"received": received, "errors": errors, "lengths": lengths, "streams": streams}[PART]()
