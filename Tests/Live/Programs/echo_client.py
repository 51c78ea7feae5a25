# Sends bytes to an echo service and compares what comes back, by TCP and by UDP, and says "intact".
import random
import socket
import sys
import threading

host, port, length = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
data = random.Random(length).randbytes(length)


def send(connection):
    try:
        for start in range(0, length, 10007):
            connection.sendall(data[start : start + 10007])
    finally:
        connection.shutdown(socket.SHUT_WR)


with socket.create_connection((host, port), timeout=60) as stream:
    sender = threading.Thread(target=send, args=(stream,))
    sender.start()
    received = b""
    while piece := stream.recv(65536):
        received += piece
    sender.join()
    if received != data:
        sys.exit(f"{len(received)} of {length} bytes came back by TCP, or others than were sent")

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
    datagrams.settimeout(0.2)
    datagrams.connect((host, port))
    for i in range(10):
        datagram = data[i * 100 : i * 100 + 1000]
        for attempt in range(100):
            datagrams.send(datagram)
            try:
                # An earlier one's answer may come late.
                while datagrams.recv(65536) != datagram:
                    pass
                break
            except TimeoutError:
                continue
        else:
            sys.exit(f"datagram {i} has not come back in 100 attempts")

print("intact")
