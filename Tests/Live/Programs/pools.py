"""Pools of processes whose members make connections, in each way that Python has to start them. Arguments: the address of an echo service, its port."""
import multiprocessing, socket, subprocess, sys
from concurrent.futures import ThreadPoolExecutor


def echo(text):
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=10) as s:
        s.sendall(text.encode())
        return s.recv(100).decode()


def serve_one(listener):
    connection, _ = listener.accept()
    connection.sendall(b"from a child")
    connection.close()


def connected(pipe):
    s = pipe.recv()
    s.sendall(b"passed")
    pipe.send(s.recv(100))


if __name__ == "__main__":
    texts = [str(i) for i in range(20)]
    for way in ("fork", "spawn", "forkserver"):
        context = multiprocessing.get_context(way)
        with context.Pool(3) as pool:
            print(way, pool.map(echo, texts) == texts)
        here, there = context.Pipe()
        child = context.Process(target=connected, args=(there,))
        child.start()
        with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as s:
            here.send(s)
        print(way, here.recv())
        child.join()
    with ThreadPoolExecutor(8) as threads:
        print("threads", list(threads.map(echo, texts)) == texts)
    for arguments in ({}, {"close_fds": False}, {"env": {}}, {"start_new_session": True}):
        code = "import socket, sys; s = socket.create_connection((sys.argv[1], int(sys.argv[2]))); s.sendall(b'x'); print(s.recv(1))"
        print("subprocess", subprocess.run([sys.executable, "-c", code, *sys.argv[1:3]], capture_output=True, **arguments).stdout)
