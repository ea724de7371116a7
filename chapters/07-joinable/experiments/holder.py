"""A process takes a lock and is killed. Another one wants the lock. With a Lock of multiprocessing,
which is a semaphore, and with flock(2) on a file."""

import fcntl
import os
import tempfile

import kitchen


class Flock:
    """Each process opens the file anew: what is inherited would be the same lock."""

    def __init__(self, path):
        self.path = path

    def acquire(self):
        self.file = open(self.path)
        fcntl.flock(self.file, fcntl.LOCK_EX)


def hold(lock, holds):
    lock.acquire()
    holds.set()
    kitchen.time.sleep(3600)


def want(lock):
    lock.acquire()


def try_it(name, lock):
    holds = kitchen.Event()
    holder = kitchen.start(hold, lock, holds)
    holds.wait()
    kitchen.end(holder)
    next_one = kitchen.start(want, lock)
    has_it = kitchen.waiting(next_one) == 0
    print(f"{name}: the holder is dead, and the next one {'has the lock' if has_it else 'waits'}")
    kitchen.end(next_one)


if __name__ == "__main__":
    try_it("multiprocessing.Lock", kitchen.fork.Lock())
    file, path = tempfile.mkstemp()
    try:
        try_it("flock(2)            ", Flock(path))
    finally:
        os.close(file)
        os.unlink(path)
