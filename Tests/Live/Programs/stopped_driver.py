# What a program sees while the driver is stopped. Arguments: the address of an echo service on port 7, the driver's process id.
import os
import signal
import socket
import sys
import time

connection = socket.create_connection((sys.argv[1], 7))
driver = int(sys.argv[2])


def timed(name, most, act):
    start = time.monotonic()
    try:
        result = act()
    except OSError as e:
        result = e.strerror
    took = time.monotonic() - start
    print(f"{name}: {result}" + ("" if took < most else f" after {took:.1f} s"), flush=True)


def fork(before=None):
    child = os.fork()
    if child == 0:
        if before:
            before()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def as_another_user():
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
    timed("fork as another user", 5, fork)


def echo():
    connection.send(b"x")
    return connection.recv(1)


signal.signal(signal.SIGALRM, lambda *unused: None)
os.kill(driver, signal.SIGSTOP)
try:
    timed("fork", 2, fork)
    timed("another user", 6, lambda: fork(as_another_user))
    signal.setitimer(signal.ITIMER_REAL, 0.2, 0.2)
    timed("setsockopt", 15, lambda: connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1))
    signal.setitimer(signal.ITIMER_REAL, 0)
finally:
    os.kill(driver, signal.SIGCONT)
timed("setsockopt afterwards", 5, lambda: connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1))
timed("echo", 5, echo)
timed("fork afterwards", 2, fork)
timed("socket", 5, lambda: socket.socket().close())
