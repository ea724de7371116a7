"""The Python peer of the ring. Python has no atomic operations on shared memory, so this is
what it has: multiprocessing.shared_memory, a lock and two semaphores."""

import peer
import slots


class Ring(slots.Shared):
    count, locked = slots.many(), True


if __name__ == "__main__":
    peer.run(Ring)
