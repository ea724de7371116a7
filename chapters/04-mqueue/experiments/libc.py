"""The message queues of the C library, for the experiments: ctypes, and no package."""
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
if not hasattr(libc, "mq_open"):  # before glibc 2.34
    libc = ctypes.CDLL("librt.so.1", use_errno=True)


class Attributes(ctypes.Structure):
    _fields_ = [("flags", ctypes.c_long), ("maxmsg", ctypes.c_long), ("msgsize", ctypes.c_long),
                ("curmsgs", ctypes.c_long), ("reserved", ctypes.c_long * 4)]


class Time(ctypes.Structure):
    _fields_ = [("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long)]


class Message(ctypes.Structure):
    _fields_ = [("type", ctypes.c_long), ("text", ctypes.c_char * 8192)]


def tell(result):
    """Returns the result of a call, or what errno says."""
    return result if result >= 0 else os.strerror(ctypes.get_errno())


def new_queue(name, maxmsg, msgsize, flags=0):
    """Makes a POSIX queue and takes its name away at once, so that nothing stays."""
    attributes = Attributes(maxmsg=maxmsg, msgsize=msgsize)
    queue = tell(libc.mq_open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | flags, 0o600, ctypes.byref(attributes)))
    libc.mq_unlink(name)
    return queue
