"""The Python peer of the joinable queue: multiprocessing.JoinableQueue. Who gets an item marks it as
done at once. A queue of that kind has no end: None stands for it.

A queue tells nobody that another process is gone: each one has a thread that waits for that."""

import multiprocessing
import sys

import crowd
import peer

BOUND = 128


class End:
    def __init__(self, queue):
        self.queue = queue

    def send_bytes(self, message):
        self.queue.put(bytes(message))

    def recv_bytes(self):
        message = self.queue.get()
        if message is None:
            peer.over.set()
        self.queue.task_done()
        if message is None:
            raise EOFError
        return message

    def close(self):
        """Returns when the other one has seen the end."""
        self.queue.put(None)
        self.queue.join()


class Joinable:
    def __init__(self, both_ways):
        self.to_first = multiprocessing.JoinableQueue(BOUND)
        self.to_second = multiprocessing.JoinableQueue(BOUND) if both_ways else None

    def ends(self):
        return [queue and End(queue) for queue in (self.to_second, self.to_first)]

    def open_second(self):
        peer.end_with_first()
        return self.ends()

    def open_first(self):
        peer.end_with_children()
        to_second, to_first = self.ends()
        return to_first, to_second


if __name__ == "__main__":
    if sys.argv[1:2] == ["crowd"]:
        crowd.run(lambda: multiprocessing.JoinableQueue(BOUND), End)
    peer.run(Joinable)
