"""What the Python peers in shared memory share: multiprocessing.shared_memory, with a
semaphore that counts the free slots, one that counts the full ones, and perhaps a lock
around each copy.

Memory has no end of file: an empty message stands for it here. And nobody is told that
the other process is gone: the second one has a thread that waits for that, the first one
looks now and then.
"""

import multiprocessing
import multiprocessing.connection
import multiprocessing.shared_memory
import struct
import sys

import peer


def message_size():
    """The size of the messages, which the slots are made for."""
    try:
        return max(1, int(sys.argv[2]))
    except (IndexError, ValueError):
        return 1


class End:
    """One end of some slots."""

    def __init__(self, slots, other):
        self.memory, self.slots, self.other, self.next = slots.memory.buf, slots, other, 0

    def acquire(self, semaphore):
        """Waits, and now and then looks whether the second process is still there."""
        while not semaphore.acquire(timeout=1):
            if self.other and multiprocessing.connection.wait([self.other], 0):
                if semaphore.acquire(block=False):
                    return
                raise EOFError

    def slot(self):
        at = self.next * (4 + self.slots.size)
        self.next = (self.next + 1) % self.slots.count
        return at

    def send_bytes(self, message):
        slots = self.slots
        if len(message) > slots.size:
            raise OSError(f"a slot has no room for {len(message)} bytes")
        self.acquire(slots.free)
        if slots.lock:
            self.acquire(slots.lock)  # who is killed inside keeps it
        at = self.slot()
        struct.pack_into("=I", self.memory, at, len(message))
        self.memory[at + 4 : at + 4 + len(message)] = message
        if slots.lock:
            slots.lock.release()
        slots.full.release()

    def recv_bytes(self):
        slots = self.slots
        self.acquire(slots.full)
        if slots.lock:
            self.acquire(slots.lock)
        at = self.slot()
        (size,) = struct.unpack_from("=I", self.memory, at)
        message = bytes(self.memory[at + 4 : at + 4 + size])
        if slots.lock:
            slots.lock.release()
        slots.free.release()
        if size == 0:
            raise EOFError
        return message

    def close(self):
        self.send_bytes(b"")


class Slots:
    """Slots in a segment, which loses its name when both processes have it."""

    def __init__(self, count, locked, semaphores):
        self.count, self.size = count, message_size()
        self.memory = multiprocessing.shared_memory.SharedMemory(create=True, size=count * (4 + self.size))
        self.free, self.full, lock = semaphores(count, 0, 1)
        self.lock = lock if locked else None


def many():
    """How many slots have room in 64 KiB, and at least four."""
    return max(4, (64 << 10) // (message_size() + 1))


class Shared:
    """What a peer says of itself: how many slots, whether there is a lock, and of what kind
    the semaphores are."""

    count, locked = 1, False

    def semaphores(self, *values):
        return [multiprocessing.Semaphore(value) for value in values]

    def __init__(self, both_ways):
        self.to_first = Slots(self.count, self.locked, self.semaphores)
        self.to_second = Slots(self.count, self.locked, self.semaphores) if both_ways else None

    def ends(self, other=None):
        return [slots and End(slots, other) for slots in (self.to_second, self.to_first)]

    def open_second(self):
        peer.end_with_first()
        return self.ends()

    def open_first(self):
        to_second, to_first = self.ends(multiprocessing.active_children()[0].sentinel)
        for slots in (self.to_first, self.to_second):
            if slots is not None:
                slots.memory.unlink()
        return to_first, to_second
