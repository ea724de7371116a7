"""What the Python peers with semaphores of System V share: numbers and a struct of the C library."""

import ctypes

IPC_PRIVATE, IPC_RMID, IPC_CREAT, IPC_EXCL = 0, 0, 0o1000, 0o2000
SETVAL, SEM_UNDO, SEMVMX = 16, 0x1000, 32767


class Sembuf(ctypes.Structure):
    """struct sembuf, semop(2)."""

    _fields_ = [("num", ctypes.c_ushort), ("op", ctypes.c_short), ("flags", ctypes.c_short)]
