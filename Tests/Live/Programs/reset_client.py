# Connects and resets at once, so many times, as a port scan does; then tells the server that it is done. Arguments: address, port, number.
import socket
import struct
import sys

to = (sys.argv[1], int(sys.argv[2]))
for _ in range(int(sys.argv[3])):
    scan = socket.create_connection(to)
    scan.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    scan.close()
last = socket.create_connection(to)
last.sendall(b"done\n")
last.recv(1)
