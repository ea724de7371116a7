"""The Python peer of semaphores: room for one message in multiprocessing.shared_memory, and
two semaphores to hand it over."""

import peer
import slots


class Semaphore(slots.Shared):
    count, locked = 1, False


if __name__ == "__main__":
    peer.run(Semaphore)
