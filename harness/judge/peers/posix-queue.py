"""The Python peer of the POSIX queue: mq_send(3) and mq_receive(3) through ctypes."""

import ctypes
import os

import peer
import queues
from queues import check, libc


class Attributes(ctypes.Structure):
    """struct mq_attr of mq_getattr(3)."""

    _fields_ = [("flags", ctypes.c_long), ("maxmsg", ctypes.c_long), ("msgsize", ctypes.c_long),
                ("curmsgs", ctypes.c_long), ("reserved", ctypes.c_long * 4)]


libc.mq_receive.restype = ctypes.c_ssize_t
libc.mq_receive.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_void_p]
libc.mq_send.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint]


class Queue:
    def __init__(self, name):
        self.queue = check(libc.mq_open(name, os.O_RDWR), "mq_open")
        self.size = queues.message_size()
        self.memory = ctypes.create_string_buffer(self.size)

    def send_bytes(self, message):
        check(libc.mq_send(self.queue, bytes(message), len(message), 0), "mq_send")

    def recv_bytes(self):
        size = check(libc.mq_receive(self.queue, self.memory, self.size, None), "mq_receive")
        if size == 0:
            raise EOFError
        return ctypes.string_at(self.memory, size)

    def close(self):
        self.send_bytes(b"")


class PosixQueue:
    """Two queues with room for ten messages. They lose their names when both processes
    have opened them."""

    def __init__(self, both_ways):
        self.names = [f"/ipc-peer-{os.getpid()}-{end}".encode() for end in ("first", "second")]
        attributes = Attributes(maxmsg=10, msgsize=queues.message_size())
        for name in self.names:
            made = libc.mq_open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600, ctypes.byref(attributes))
            check(made, "mq_open")
            os.close(made)

    def open_second(self):
        peer.end_with_first()
        to_first, to_second = [Queue(name) for name in self.names]
        return to_second, to_first

    def open_first(self):
        to_first, to_second = [Queue(name) for name in self.names]
        queues.watch_the_second(Queue(self.names[0]))
        for name in self.names:
            check(libc.mq_unlink(name), "mq_unlink")
        return to_first, to_second


if __name__ == "__main__":
    peer.run(PosixQueue)
