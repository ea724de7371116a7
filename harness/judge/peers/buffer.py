"""The Python peer of a buffer in shared memory: multiprocessing.shared_memory, a lock and
two semaphores. It has room for 64 KiB of messages, and at least for four."""

import peer
import slots


class Buffer(slots.Shared):
    count, locked = slots.many(), True


if __name__ == "__main__":
    peer.run(Buffer)
