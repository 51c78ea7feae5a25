"""Multicast as programs do it: joins by struct in all forms, senders and receivers of either family, and who listens to a link's reports.

groups.py errors ADDRESS | receive FAMILY ADDRESS PORT FORM COUNT | send FAMILY ADDRESS PORT TEXT... | stream ADDRESS PORT COUNT RATE | count ADDRESS PORT COUNT | reports DEVICE SECONDS
"""
import errno
import os
import socket
import struct
import sys
import time

GROUP4, GROUP6 = "239.1.2.3", "ff15::123"
SOURCES4 = ["10.99.0.71", "10.99.0.72"]
MCAST_JOIN_GROUP, MCAST_BLOCK_SOURCE, MCAST_UNBLOCK_SOURCE, MCAST_LEAVE_GROUP = 42, 43, 44, 45
MCAST_JOIN_SOURCE_GROUP, MCAST_LEAVE_SOURCE_GROUP, MCAST_MSFILTER = 46, 47, 48
IP_UNBLOCK_SOURCE, IP_BLOCK_SOURCE, IP_ADD_SOURCE, IP_DROP_SOURCE, IP_MSFILTER = 37, 38, 39, 40, 41
IP_MULTICAST_ALL, IPV6_MULTICAST_ALL = 49, 29


def device(address):
    """The index of the interface with an IPv4 address."""
    import fcntl
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for index, name in socket.if_nameindex():
            try:
                if socket.inet_ntoa(fcntl.ioctl(s, 0x8915, struct.pack("256s", name.encode()))[20:24]) == address:
                    return index
            except OSError:
                pass
    return 0


def storage(family, host):
    if family == socket.AF_INET:
        return struct.pack("=HH4s", family, 0, socket.inet_aton(host)).ljust(128, b"\0")
    return struct.pack("=HHI16sI", family, 0, 0, socket.inet_pton(family, host), 0).ljust(128, b"\0")


def group_req(family, index, group, source=None):
    return struct.pack("=II", index, 0) + storage(family, group) + (b"" if source is None else storage(family, source))


def group_filter(family, index, group, mode, sources):
    return struct.pack("=II", index, 0) + storage(family, group) + struct.pack("=II", mode, len(sources)) + b"".join(storage(family, s) for s in sources)


def mreq(group, address):
    return socket.inet_aton(group) + socket.inet_aton(address)


def mreq_source(group, address, source):
    return mreq(group, address) + socket.inet_aton(source)


def msfilter(group, address, mode, sources):
    return mreq(group, address) + struct.pack("=II", mode, len(sources)) + b"".join(map(socket.inet_aton, sources))


def told(s, level, name, value, what):
    try:
        s.setsockopt(level, name, value)
        print(what, "ok")
    except OSError as e:
        print(what, errno.errorcode[e.errno])


def errors(address):
    index, ip, ip6 = device(address), socket.IPPROTO_IP, socket.IPPROTO_IPV6
    for bound in (False, True):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        if bound:
            s.bind(("", 0))
        for what, name, value in [
            ("short", 35, b"1234567"), ("a host", 35, mreq("10.99.0.77", address)), ("no device", 35, mreq(GROUP4, "10.98.98.98")), ("no index", 35, mreq(GROUP4, "0.0.0.0") + struct.pack("=I", 999)),
            ("no member", 36, mreq(GROUP4, address)), ("block first", IP_BLOCK_SOURCE, mreq_source(GROUP4, address, SOURCES4[0])), ("join", 35, mreq(GROUP4, address)),
            ("join twice", 35, mreq(GROUP4, address)), ("by index", MCAST_JOIN_GROUP, group_req(socket.AF_INET, index, GROUP4)), ("block", IP_BLOCK_SOURCE, mreq_source(GROUP4, address, SOURCES4[0])),
            ("block twice", IP_BLOCK_SOURCE, mreq_source(GROUP4, address, SOURCES4[0])), ("include", IP_ADD_SOURCE, mreq_source(GROUP4, address, SOURCES4[0])),
            ("unblock other", IP_UNBLOCK_SOURCE, mreq_source(GROUP4, address, SOURCES4[1])), ("unblock", MCAST_UNBLOCK_SOURCE, group_req(socket.AF_INET, index, GROUP4, SOURCES4[0])),
            ("include now", IP_ADD_SOURCE, mreq_source(GROUP4, address, SOURCES4[0])), ("leave source", IP_DROP_SOURCE, mreq_source(GROUP4, address, SOURCES4[0])),
            ("leave left", IP_DROP_SOURCE, mreq_source(GROUP4, address, SOURCES4[0])), ("source of none", MCAST_LEAVE_SOURCE_GROUP, group_req(socket.AF_INET, index, GROUP4, SOURCES4[0])),
            ("source", MCAST_JOIN_SOURCE_GROUP, group_req(socket.AF_INET, index, GROUP4, SOURCES4[0])), ("source twice", MCAST_JOIN_SOURCE_GROUP, group_req(socket.AF_INET, index, GROUP4, SOURCES4[0])),
            ("long source", IP_ADD_SOURCE, mreq_source(GROUP4, address, SOURCES4[0]) + b"1234"), ("short source", MCAST_JOIN_SOURCE_GROUP, group_req(socket.AF_INET, index, GROUP4)),
            ("other family", MCAST_JOIN_GROUP, group_req(socket.AF_INET6, index, GROUP6)), ("other family's source", MCAST_BLOCK_SOURCE, group_req(socket.AF_INET6, index, GROUP6, "fd99::9")),
            ("filter", IP_MSFILTER, msfilter(GROUP4, address, 1, SOURCES4)), ("filter's mode", IP_MSFILTER, msfilter(GROUP4, address, 2, SOURCES4)), ("filter of many", IP_MSFILTER, msfilter(GROUP4, address, 1, SOURCES4 * 6)),
            ("short filter", IP_MSFILTER, msfilter(GROUP4, address, 1, SOURCES4)[:-1]), ("filter elsewhere", IP_MSFILTER, msfilter("239.9.9.9", address, 1, SOURCES4)),
            ("big filter", MCAST_MSFILTER, group_filter(socket.AF_INET, index, GROUP4, 0, SOURCES4)), ("big filter of many", MCAST_MSFILTER, group_filter(socket.AF_INET, index, GROUP4, 0, SOURCES4 * 6)),
            ("short big filter", MCAST_MSFILTER, group_filter(socket.AF_INET, index, GROUP4, 0, SOURCES4)[:-1]), ("empty filter", IP_MSFILTER, msfilter(GROUP4, address, 1, [])),
            ("empty again", IP_MSFILTER, msfilter(GROUP4, address, 1, [])), ("all", IP_MULTICAST_ALL, struct.pack("=i", 2)), ("all off", IP_MULTICAST_ALL, struct.pack("=i", 0)), ("loop", 34, b"\0"),
        ]:
            told(s, ip, name, value, what)
        print("joined", sum(1 for i in range(25) if joins(s, ip, 35, mreq("239.5.5.%d" % i, address))))
        print("loop", s.getsockopt(ip, 34), "all", s.getsockopt(ip, IP_MULTICAST_ALL))
        s.close()
        s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        if bound:
            s.bind(("::", 0))
        v6 = socket.inet_pton(socket.AF_INET6, GROUP6)
        for what, name, value in [
            ("short", 20, v6), ("a host", 20, socket.inet_pton(socket.AF_INET6, "fd99::7") + struct.pack("=I", index)), ("no device", 20, v6 + struct.pack("=I", 999)), ("no member", 21, v6 + struct.pack("=I", index)),
            ("join", 20, v6 + struct.pack("=I", index)), ("join twice", 20, v6 + struct.pack("=I", index)), ("block", MCAST_BLOCK_SOURCE, group_req(socket.AF_INET6, index, GROUP6, "fd99::9")),
            ("include", MCAST_JOIN_SOURCE_GROUP, group_req(socket.AF_INET6, index, GROUP6, "fd99::9")), ("unblock", MCAST_UNBLOCK_SOURCE, group_req(socket.AF_INET6, index, GROUP6, "fd99::9")),
            ("other family", MCAST_JOIN_GROUP, group_req(socket.AF_INET, index, GROUP4)), ("filter", MCAST_MSFILTER, group_filter(socket.AF_INET6, index, GROUP6, 1, ["fd99::8", "fd99::9"])),
            ("leave", MCAST_LEAVE_GROUP, group_req(socket.AF_INET6, index, GROUP6)), ("loop", 19, struct.pack("=i", 2)), ("loop off", 19, struct.pack("=i", 0)), ("hops", 18, struct.pack("=i", 256)),
            ("interface", 17, struct.pack("=i", index)), ("no interface", 17, struct.pack("=i", 999)),
        ]:
            told(s, ip6, name, value, "v6 " + what)
        told(s, ip, 35, mreq(GROUP4, address), "v4 on v6")
        print("v6 loop", s.getsockopt(ip6, 19), "interface", s.getsockopt(ip6, 17) == index)
        s.close()
    stream = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    told(stream, ip, 35, mreq(GROUP4, address), "stream")


def joins(s, level, name, value):
    try:
        s.setsockopt(level, name, value)
        return True
    except OSError as e:
        assert e.errno == errno.ENOBUFS, e
        return False


def opened(family, port, bind=True):
    s = socket.socket(socket.AF_INET if family == "4" else socket.AF_INET6, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if bind:
        s.bind(("" if family == "4" else "::", port))
    return s


def receive(family, address, port, form, count):
    """FORM: mreq, mreqn, group, bound (to the group)."""
    index = device(address)
    s = opened(family, port, form != "bound")
    if form == "bound":
        s.bind((GROUP4 if family == "4" else GROUP6, port))
    if form == "group":
        f, group = (socket.AF_INET, GROUP4) if family == "4" else (socket.AF_INET6, GROUP6)
        s.setsockopt(socket.IPPROTO_IP if family == "4" else socket.IPPROTO_IPV6, MCAST_JOIN_GROUP, group_req(f, index, group))
    elif family == "4":
        s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, mreq(GROUP4, "0.0.0.0") + struct.pack("=I", index) if form == "mreqn" else mreq(GROUP4, address))
    else:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, socket.inet_pton(socket.AF_INET6, GROUP6) + struct.pack("=I", index))
    s.settimeout(20)
    print("ready", flush=True)
    for _ in range(count):
        print(s.recv(2000).decode(), flush=True)


def sender(family, address, index):
    s = opened(family, 0)
    if family == "4":
        s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
        s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 4)
    else:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
    return s, GROUP4 if family == "4" else GROUP6


def send(family, address, port, texts):
    s, group = sender(family, address, device(address))
    for text in texts:
        s.sendto(text.encode(), (group, port))


def loop(family, address, port):
    """One process hears itself, as long as it wants to."""
    index = device(address)
    receiver = opened(family, port)
    if family == "4":
        receiver.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, mreq(GROUP4, address))
    else:
        receiver.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, socket.inet_pton(socket.AF_INET6, GROUP6) + struct.pack("=I", index))
    receiver.settimeout(10)
    s, group = sender(family, address, index)
    s.sendto(b"heard", (group, port))
    print(receiver.recv(100).decode())
    s.setsockopt(*((socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0) if family == "4" else (socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 0)))
    s.sendto(b"not heard", (group, port))
    receiver.settimeout(0.5)
    try:
        print(receiver.recv(100).decode())
    except TimeoutError:
        print("silence")


def stream(address, port, count, rate):
    """RTP as cameras send it: 1,316 bytes, RATE a second."""
    s, group = sender("4", address, 0)
    start = time.monotonic()
    for i in range(count):
        s.sendto(struct.pack("!BBHII", 0x80, 33, i & 0xFFFF, i, 1) + bytes(1304), (group, port))
        ahead = start + i / rate - time.monotonic()
        if ahead > 0.002:
            time.sleep(ahead)
    seconds = time.monotonic() - start
    for _ in range(50):
        s.sendto(b"end", (group, port))
        time.sleep(0.02)
    print("sent %.0f Mbit/s" % (count * 1316 * 8 / seconds / 1e6))


def count(address, port, total):
    s = opened("4", port)
    s.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)  # SO_RCVBUFFORCE: 0.4 s of a machine that others use
    s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, mreq(GROUP4, address))
    s.settimeout(30)
    print("ready", flush=True)
    received = wrong = 0
    last = -1
    while (data := s.recv(2000)) != b"end":
        number = struct.unpack("!BBHII", data[:12])[3]
        received += 1
        wrong += number <= last or len(data) != 1316
        last = number
    print("received %d of %d, %d wrong" % (received, total, wrong), flush=True)


def reports(device_name, seconds):
    """What hosts say of their groups on a link, as a router there hears it."""
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    s.bind((device_name, 0))
    print("ready", flush=True)
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        s.settimeout(left)
        try:
            frame, address = s.recvfrom(2000)
        except TimeoutError:
            break
        if address[2] == socket.PACKET_OUTGOING:
            continue
        packet = frame[14:]
        if packet[0] >> 4 == 4 and packet[9] == 2:
            body = packet[(packet[0] & 15) * 4:]
            print("IGMP", hex(body[0]), "ttl", packet[8], "options", packet[20:24].hex(), records(body, 4), flush=True)
        elif packet[0] >> 4 == 6 and packet[6] == 0 and packet[40] == 58 and packet[48] in (131, 132, 143):
            print("MLD", packet[48], "hops", packet[7], "options", packet[42:46].hex(), records(packet[48:], 16), flush=True)


def records(body, size):
    text, at = [], 8
    for _ in range(struct.unpack("!H", body[6:8])[0]):
        kind, _, sources = struct.unpack("!BBH", body[at:at + 4])
        text.append("%d:%s" % (kind, socket.inet_ntop(socket.AF_INET if size == 4 else socket.AF_INET6, body[at + 4:at + 4 + size])))
        at += 4 + size * (1 + sources)
    return " ".join(text)


mode, given = sys.argv[1], sys.argv[2:]
if mode == "errors":
    errors(*given)
elif mode == "receive":
    receive(given[0], given[1], int(given[2]), given[3], int(given[4]))
elif mode == "send":
    send(given[0], given[1], int(given[2]), given[3:])
elif mode == "loop":
    loop(given[0], given[1], int(given[2]))
elif mode == "stream":
    stream(given[0], int(given[1]), int(given[2]), float(given[3]))
elif mode == "count":
    count(given[0], int(given[1]), int(given[2]))
elif mode == "reports":
    reports(given[0], float(given[1]))
else:
    sys.exit(__doc__)
