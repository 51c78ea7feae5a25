"""Finds a name, and finds it again whenever a line comes on standard input."""
import socket
import sys

while True:
    try:
        print(socket.getaddrinfo(sys.argv[1], 80, socket.AF_INET, socket.SOCK_STREAM)[0][4][0], flush=True)
    except socket.gaierror as error:
        print({getattr(socket, name): name for name in dir(socket) if name.startswith("EAI_")}.get(error.errno, error), flush=True)
    if not sys.stdin.readline():
        break
