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


listener = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=128)
if len(sys.argv) > 3:
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 128)
while True:
    threading.Thread(target=echo, args=(listener.accept()[0],), daemon=True).start()
