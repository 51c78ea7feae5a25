# Sends back each datagram, from the address and port that it came to.
import socket
import sys

server = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
server.bind((sys.argv[1], int(sys.argv[2])))
while True:
    data, peer = server.recvfrom(65536)
    try:
        server.sendto(data, peer)
    except OSError:
        pass
