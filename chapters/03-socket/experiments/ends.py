"""The other process comes to its end. What does the one that stays see?"""

import os
import signal
import socket


def show(what, call):
    try:
        print(f"  {what}: {call()}")
    except OSError as error:
        print(f"  {what}: {error.strerror}")


def after(story, other_does):
    print(story)
    ours, theirs = socket.socketpair()
    ours.send(b"question")
    pid = os.fork()
    if pid == 0:  # the other process
        ours.close()
        other_does(theirs)
        os._exit(0)
    theirs.close()
    os.waitpid(pid, 0)
    show("recv", lambda: ours.recv(100))
    show("recv", lambda: ours.recv(100))
    show("recv", lambda: ours.recv(100))
    show("send", lambda: ours.send(b"and?"))


after("It reads the question and exits.", lambda end: end.recv(100))
after("It reads the question and is killed.", lambda end: (end.recv(100), os.kill(os.getpid(), signal.SIGKILL)))
after("It exits and has read nothing.", lambda end: None)
after("It answers and exits, and has read nothing.", lambda end: end.send(b"answer"))
