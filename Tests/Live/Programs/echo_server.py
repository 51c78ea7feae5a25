# Sends back what it receives, on any number of connections. A third argument: with TCP Fast Open.
import socket
import sys
import threading


def echo(connection):
    with connection:
        try:
            while data := connection.recv(65536):
                connection.sendall(data)
        except OSError:
            pass


family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
listener = socket.create_server((sys.argv[1], int(sys.argv[2])), family=family, backlog=128)
if len(sys.argv) > 3:
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 128)
while True:
    threading.Thread(target=echo, args=(listener.accept()[0],), daemon=True).start()
