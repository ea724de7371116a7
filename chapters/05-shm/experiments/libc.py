"""What the experiments share: System V's functions of the C library."""
import ctypes
import os
import sys

sys.dont_write_bytecode = True  # no folder shall appear beside the lesson

libc = ctypes.CDLL(None, use_errno=True)
IPC_PRIVATE, IPC_RMID, SETVAL, GETVAL, IPC_CREAT, IPC_EXCL, IPC_NOWAIT, SEM_UNDO = 0, 0, 16, 12, 0o1000, 0o2000, 0o4000, 0x1000


class Operation(ctypes.Structure):
    """struct sembuf of semop(2)."""

    _fields_ = [("number", ctypes.c_ushort), ("change", ctypes.c_short), ("flags", ctypes.c_short)]


def semget(key, flags=IPC_CREAT | 0o600):
    return libc.semget(key, 1, flags)


def semop(semaphores, change, flags=0):
    """Returns what came of it, as a text."""
    result = libc.semop(semaphores, ctypes.byref(Operation(0, change, flags)), 1)
    return "done" if result == 0 else os.strerror(ctypes.get_errno())


def setval(semaphores, value):
    result = libc.semctl(semaphores, 0, SETVAL, value)
    return "done" if result == 0 else os.strerror(ctypes.get_errno())


def getval(semaphores):
    return libc.semctl(semaphores, 0, GETVAL)


def remove(semaphores):
    libc.semctl(semaphores, 0, IPC_RMID)
