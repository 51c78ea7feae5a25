"""Asks a driver to serve what it cannot, and prints each answer: errno and reason.

guest_requests.py LINK
"""
import array, errno, fcntl, os, random, socket, struct, sys

TUN, TAP, MULTI_QUEUE, NO_PI, VNET_HDR = 1, 2, 0x100, 0x1000, 0x4000
GUEST = TUN | NO_PI | VNET_HDR
count = 0


def device(flags, mode=os.O_RDWR):
    global count
    count += 1
    tun = os.open("/dev/net/tun", mode | os.O_NONBLOCK)
    if flags:
        fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH22x", b"guest%d" % count, flags))
    return tun


def frame(address, mtu=1500, family=2, type=26):
    return struct.pack("<IHHIiHH4s20xI", 48, type, 0, 7, 0, family, 0, socket.inet_aton(address), mtu)


def frame6(address, mtu=1500):
    return struct.pack("<IHHIiHHI16sII", 48, 26, 0, 7, 0, 10, 0, 0, socket.inet_pton(socket.AF_INET6, address), 0, mtu)


def both(address, mtu=1500, family=2):
    first = struct.pack("<IHHIiHH4s20xI", 80, 34, 0, 7, 0, family, 0, socket.inet_aton("10.1.0.2"), mtu)
    return first + struct.pack("<HHI16sII", 10, 0, 0, socket.inet_pton(socket.AF_INET6, address), 0, 0)


class Session:
    def __init__(self):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30)
        self.socket.connect(sys.argv[1])
        self.socket.sendall(struct.pack("<8sII", b"tapwire\0", 1, 0))
        self.read(16)

    def read(self, length):
        read = b""
        while len(read) < length:
            more = self.socket.recv(length - len(read))
            if not more:
                raise EOFError
            read += more
        return read

    def send(self, bytes, *passed):
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", passed))] if passed else []
        assert self.socket.sendmsg([bytes], rights) == len(bytes)

    def answer(self):
        """The next answer to a request to serve a namespace; those to others, which may come before or behind it, are skipped."""
        while True:
            length, type, _, _, error = struct.unpack("<IHHIi", self.read(16))
            body = self.read(length - 16)
            if type in (0x8000 | 26, 0x8000 | 34):
                return error, body.decode()

    def ask(self, bytes, *passed):
        self.send(bytes, *passed)
        return self.answer()

    def close(self):
        self.socket.close()


def tell(name, answer):
    error, reason = answer
    print(f"{name}: {errno.errorcode.get(error, error)} {reason}", flush=True)


def made(flags, mode=os.O_RDWR, **fields):
    session, tun = Session(), device(flags, mode)
    answer = session.ask(frame("10.1.0.2", **fields), tun)
    os.close(tun)
    session.close()
    return answer


plain = device(GUEST)
for address in ("0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "192.0.0.8", "10.99.0.9"):
    tell(address, Session().ask(frame(address), plain))
for address in ("::", "::1", "ff02::1", "fe80::1", "100::8"):
    tell(address, Session().ask(frame6(address), plain))
tell("both, fe80::1", Session().ask(both("fe80::1"), plain))
tell("both, MTU 1279", Session().ask(both("fd00::2", 1279), plain))
tell("both, none first", Session().ask(both("fd00::2", family=0), plain))
tell("both, no descriptor", Session().ask(both("fd00::2")))
for family in (0, 10, 99):
    tell(f"family {family}", Session().ask(frame("10.1.0.2", family=family), plain))
for mtu in (0, 67, 65536, 0xFFFFFFFF):
    tell(f"MTU {mtu}", Session().ask(frame("10.1.0.2", mtu), plain))
tell("nothing", Session().ask(frame("10.1.0.2")))
null = os.open("/dev/null", os.O_RDWR)
tell("/dev/null", Session().ask(frame("10.1.0.2"), null))
tell("unattached", made(0))
tell("TAP", made(TAP | NO_PI | VNET_HDR))
tell("no header", made(TUN | NO_PI))
tell("queues", made(GUEST | MULTI_QUEUE))
tell("read only", made(GUEST, os.O_RDONLY))

first = Session()
tell("first", first.ask(frame("10.1.0.2"), plain))
tell("twice in a session", first.ask(frame("10.1.0.3"), plain))
tell("twice in two sessions", Session().ask(frame("10.1.0.4"), os.dup(plain)))
other = device(GUEST)
tell("another device", first.ask(frame("10.1.0.2"), other))
dual = device(GUEST)
tell("both", first.ask(both("fd00::2"), dual))
first.close()
again = Session()
while (answer := again.ask(frame("10.1.0.2"), plain))[0] == errno.EBUSY:
    pass
tell("when the first has ended", answer)
again.close()

# A descriptor is its frame's, also when other frames are read together with it.
session, tun = Session(), device(GUEST)
for i in range(50):
    session.send(struct.pack("<IHHIiII", 24, 25, 0, 1, 0, 0, 0))
session.send(frame("10.1.0.2"), tun)
tell("behind others", session.answer())
session.close()

# What a session that breaks the protocol has passed is closed.
spare = device(GUEST)
for _ in range(20):
    session = Session()
    session.send(frame("10.1.0.2") + b"\xEE" * 64, spare)
    try:
        while True:
            session.answer()
    except (EOFError, ConnectionError):
        pass
    session.close()

chance = random.Random(26)
for i in range(400):
    session = Session()
    bytes = bytearray(frame(socket.inet_ntoa(chance.randbytes(4)), chance.choice((chance.randrange(80), 1500, chance.randrange(1 << 32)))))
    for _ in range(chance.randrange(4)):
        bytes[chance.randrange(16, 48)] = chance.randrange(256)
    passed = chance.choice(((), (null,), (tun,), (plain,), (tun, null, plain)))
    error, reason = session.ask(bytes, *passed)
    assert (error == 0) == (reason == "") and error in (0, errno.EINVAL, errno.EBUSY, errno.EAFNOSUPPORT, errno.EADDRINUSE), (bytes.hex(), error, reason)
    session.close()
print("done", flush=True)
sys.stdin.readline()
