"""The Python peer of the System V queue: through the package sysv_ipc where it is installed, and
else msgsnd(2) and msgrcv(2) through ctypes."""

import atexit
import ctypes
import os

import peer
import queues
from queues import check, libc

try:
    import sysv_ipc
except ImportError:
    sysv_ipc = None

IPC_CREAT, IPC_EXCL, IPC_RMID = 0o1000, 0o2000, 0

libc.msgrcv.restype = ctypes.c_ssize_t
libc.msgrcv.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_long, ctypes.c_int]
libc.msgsnd.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


class Message(ctypes.Structure):
    """A message as the kernel wants it: the type in front of the text."""

    _fields_ = [("type", ctypes.c_long), ("text", ctypes.c_char * queues.message_size())]


class Queue:
    def __init__(self, queue):
        self.queue = queue
        self.sent, self.received = Message(type=1), Message()
        self.text = ctypes.addressof(self.received) + Message.text.offset
        self.size = queues.message_size()

    def send_bytes(self, message):
        size = len(message)
        ctypes.memmove(ctypes.addressof(self.sent) + Message.text.offset, bytes(message), min(size, self.size))
        check(libc.msgsnd(self.queue, ctypes.byref(self.sent), size, 0), "msgsnd")

    def recv_bytes(self):
        size = check(libc.msgrcv(self.queue, ctypes.byref(self.received), self.size, 0, 0), "msgrcv")
        if size == 0:
            raise EOFError
        return ctypes.string_at(self.text, size)

    def close(self):
        self.send_bytes(b"")


class PackageQueue:
    def __init__(self, key):
        self.queue = sysv_ipc.MessageQueue(key, max_message_size=queues.message_size())

    def send_bytes(self, message):
        self.queue.send(bytes(message))

    def recv_bytes(self):
        message, _ = self.queue.receive()
        if not message:
            raise EOFError
        return message

    def close(self):
        self.send_bytes(b"")


class SystemVQueue:
    """Two queues. The second process is told their ids and keys."""

    def __init__(self, both_ways):
        self.ids, self.keys = [], []
        for end in range(2):
            # Keys by which whoever has killed this process finds what it left.
            key = 0x40000000 | os.getpid() << 1 | end
            queue = check(libc.msgget(key, IPC_CREAT | IPC_EXCL | 0o600), "msgget")
            self.ids.append(queue)
            self.keys.append(key)
            queues.removers.append(lambda queue=queue: libc.msgctl(queue, IPC_RMID, None))
        # Where the second process is forked it does not come here: it ends without atexit.
        atexit.register(queues.remove)

    def open(self):
        return map(PackageQueue, self.keys) if sysv_ipc else map(Queue, self.ids)

    def open_second(self):
        peer.end_with_first()
        to_first, to_second = self.open()
        return to_second, to_first

    def open_first(self):
        to_first, to_second = self.open()
        queues.watch_the_second(Queue(self.ids[0]))
        return to_first, to_second


if __name__ == "__main__":
    peer.run(SystemVQueue)
