"""A server is killed. What has become of its address? And what says that it is dead?"""

import os
import signal
import socket
import stat
import tempfile


def attempt(what, call):
    try:
        call()
        print(f"{what}: it works")
    except OSError as error:
        print(f"{what}: {error.strerror}")


def new():
    return socket.socket(socket.AF_UNIX)


folder = tempfile.TemporaryDirectory()
path = os.path.join(folder.name, "s")
attempt("connect, nobody was ever there", lambda: new().connect(path))

if os.fork() == 0:  # the server
    listener = new()
    listener.bind(path)
    listener.listen()
    os.kill(os.getpid(), signal.SIGKILL)
os.wait()
print("The server has been killed. Its file is still there:", stat.S_ISSOCK(os.stat(path).st_mode))
attempt("connect", lambda: new().connect(path))
attempt("bind", lambda: new().bind(path))

os.unlink(path)
listener = new()
listener.bind(path)
attempt("connect, after bind and before listen", lambda: new().connect(path))
listener.listen(0)
first, second = new(), new()
second.setblocking(False)
attempt("connect, to a server that accepts nobody", lambda: first.connect(path))
attempt("connect once more, and do not wait", lambda: second.connect(path))
