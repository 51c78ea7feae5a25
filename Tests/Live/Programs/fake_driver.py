# Listens at a link's path as a user of that number, in a directory that it makes, and says how much it is told. Arguments: path, user.
import os
import socket
import sys

path, user = sys.argv[1], int(sys.argv[2])
if user != os.getuid():
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
os.umask(0)
if not os.path.isdir(os.path.dirname(path)):
    os.mkdir(os.path.dirname(path), 0o755)
listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
listener.listen(8)
print("listening", flush=True)
while True:
    connection = listener.accept()[0]
    print("told", len(connection.recv(4096)), flush=True)
    connection.close()
