"""The Python peer of a semaphore of System V for which nobody waits. The standard library has
none, so it is ctypes and the C library. One of a process that is killed stays."""

import atexit
import ctypes

import operation
from queues import check, libc
from semaphores import IPC_PRIVATE, IPC_RMID, Sembuf


def make():
    semaphores = check(libc.semget(IPC_PRIVATE, 1, 0o600), "semget")
    atexit.register(libc.semctl, semaphores, 0, IPC_RMID)
    post, take = Sembuf(0, 1, 0), Sembuf(0, -1, 0)

    def once():
        check(libc.semop(semaphores, ctypes.byref(post), 1), "semop +1")
        check(libc.semop(semaphores, ctypes.byref(take), 1), "semop -1")

    return once


if __name__ == "__main__":
    operation.run(make)
