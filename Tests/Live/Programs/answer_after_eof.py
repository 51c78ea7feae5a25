# Reads one connection to its end, and only then sends a file.
import socket
import sys

address, port, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
connection, _ = socket.create_server((address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET).accept()
with connection, open(path, "rb") as file:
    while data := connection.recv(65536):
        print(data.decode(), end="", flush=True)
    connection.sendfile(file)
