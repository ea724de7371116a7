"""What the Python peers of the message queues share.

The standard library has no message queues. So a Python program without packages calls
the C library through ctypes. A queue has no end of file: an empty message stands for it
here, since no other one is empty. And nobody is told that the other process is gone: in
each process a thread waits for that.
"""

import ctypes
import multiprocessing
import multiprocessing.connection
import os
import sys
import threading

libc = ctypes.CDLL(None, use_errno=True)
if not hasattr(libc, "mq_open"):  # before glibc 2.34
    libc = ctypes.CDLL("librt.so.1", use_errno=True)


def check(result, call):
    """Returns the result of a call of the C library, or raises what errno says."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")
    return result


def message_size():
    """The size of the messages, which the queues are made for."""
    try:
        return max(1, int(sys.argv[2]))
    except (IndexError, ValueError):
        return 1


def watch_the_second(to_first):
    """Sends the end to this process when the second one has ended, however it did."""
    second = multiprocessing.active_children()[0]

    def watch():
        multiprocessing.connection.wait([second.sentinel])
        try:
            to_first.close()
        except OSError:
            pass  # all is over, and the queue is gone

    threading.Thread(target=watch, daemon=True).start()


removers = []


def remove():
    """Removes what would stay in the kernel."""
    while removers:
        removers.pop()()
