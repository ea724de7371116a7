"""A task starts a process that goes on, and then its worker is killed. Who tells the pool? First that process is
made by fork(2) alone. Then by subprocess, which closes in it what it would inherit."""

import os
import signal
import subprocess

import pools

LONG, SHORT = 60, 1  # seconds: for what comes, and for what does not


def forks(r):
    """The child reads until the main process writes."""
    if os.fork() == 0:
        os.read(r, 1)
        os._exit(0)
    os.kill(os.getpid(), signal.SIGKILL)


def starts(r):
    subprocess.Popen(["head", "-c1"], stdin=r, stdout=subprocess.DEVNULL)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    for name, task, timeout in (("os.fork", forks, SHORT), ("subprocess", starts, LONG)):
        r, w = os.pipe()
        executor = pools.executor()
        future = executor.submit(task, r)
        print(f"{name}: the worker was killed, and what it has started goes on")
        print("  the task:", pools.told(future.result, timeout))
        os.write(w, b"!")
        print("  the task, when that has ended, too:", pools.told(future.result, LONG))
    pools.end()
