"""The Python peer of a buffer in shared memory with semaphores of System V: a set of three for
each direction, one of which is the lock. The standard library has none, so it is ctypes and
the C library. The kernel gives the lock back if its holder dies (SEM_UNDO)."""

import atexit
import ctypes
import errno
import os

import peer
import queues
import slots
from queues import check, libc
from semaphores import IPC_CREAT, IPC_EXCL, IPC_RMID, SEM_UNDO, SEMVMX, SETVAL, Sembuf

FREE, FULL, LOCK = range(3)


class Timespec(ctypes.Structure):
    """struct timespec, as semtimedop(2) takes it."""

    _fields_ = [("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long)]


class Semaphore:
    """One of a set, with what slots.py calls of multiprocessing.Semaphore."""

    def __init__(self, semaphores, which):
        self.semaphores, self.which = semaphores, which
        self.flags = SEM_UNDO if which == LOCK else 0

    def add(self, n, timeout):
        operation = Sembuf(self.which, n, self.flags)
        until = None if timeout is None else ctypes.byref(Timespec(timeout, 0))
        return libc.semtimedop(self.semaphores, ctypes.byref(operation), ctypes.c_size_t(1), until)

    def acquire(self, block=True, timeout=None):
        if self.add(-1, timeout if block else 0) == 0:
            return True
        if ctypes.get_errno() not in (errno.EAGAIN, errno.EINTR):
            check(-1, "semtimedop -1")
        return False

    def release(self):
        check(self.add(1, None), "semtimedop +1")


class SystemVBuffer(slots.Shared):
    count, locked = min(slots.many(), SEMVMX), True

    def semaphores(self, *values):
        # Keys by which whoever has killed this process finds what it left.
        key = 0x40000000 | os.getpid() << 1 | len(queues.removers)
        made = check(libc.semget(key, len(values), IPC_CREAT | IPC_EXCL | 0o600), "semget")
        queues.removers.append(lambda: libc.semctl(made, 0, IPC_RMID))
        if len(queues.removers) == 1:
            # Where the second process is forked it does not come here: it ends without atexit.
            atexit.register(queues.remove)
        for which, value in enumerate(values):
            check(libc.semctl(made, which, SETVAL, value), "semctl")
        return [Semaphore(made, which) for which in range(len(values))]


if __name__ == "__main__":
    peer.run(SystemVBuffer)
