"""Who is at the other end? Three ways to get a connection, and what the kernel says."""

import os
import socket
import struct
import tempfile

names = {os.getpid(): "the parent"}


def peer(end):
    pid, uid, gid = struct.unpack("3i", end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return names.get(pid, "somebody else")


def child(does):
    pid = os.fork()
    if pid == 0:
        does()
        os._exit(0)
    names[pid] = "the child"
    os.waitpid(pid, 0)


folder = tempfile.TemporaryDirectory()
path = os.path.join(folder.name, "s")
listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
listener.listen(2)

client = socket.socket(socket.AF_UNIX)
child(lambda: (client.connect(path), client.send(b"hello")))
print("The child connects and sends:           ", peer(listener.accept()[0]))

client = socket.socket(socket.AF_UNIX)
client.connect(path)
child(lambda: client.send(b"hello"))
print("The parent connects, the child sends:   ", peer(listener.accept()[0]))

ours, theirs = socket.socketpair()
child(lambda: theirs.send(b"hello"))
print("A socket pair, and the child sends:     ", peer(ours))
