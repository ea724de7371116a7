"""What the Python peers of the process pool share: what a task does, and what the first process does. A
peer calls run with a function that makes a pool: of so many workers, with an initializer and its
arguments, in a context. The pool has submit, which returns a function that waits for the result, and
close."""

import functools
import hashlib
import multiprocessing
import os
import sys
import time

import peer

WORKERS = 2
BUSY_SIZE = 256 << 10


# In a worker.


def begin(number, all_here):
    """Where worker 0 runs somebody may say: see doc.go. The others stay where the first process is."""
    global met
    peer.end_with_first()
    with number.get_lock():
        mine, number.value = number.value, number.value + 1
    if mine == 0 and os.environ.get("IPC_CORE"):
        os.sched_setaffinity(0, {int(os.environ["IPC_CORE"])})
    met = all_here
    # What a task raises comes as its result. When the first process ends early a worker that is
    # just writing would only add that its pipe is broken.
    sys.stderr = open(os.devnull, "w")


def meet():
    """Returns when each worker runs this: so all are there."""
    met.wait()


new_message = functools.lru_cache(maxsize=1)(peer.new_message)


def message(number, size):
    result = new_message(size)
    peer.set_number(result, number)
    return bytes(result)


block = bytearray(BUSY_SIZE)


def busy(number, size):
    """Uses the processor: SHA-256 of 256 KiB that has the task's number in it."""
    peer.set_number(block, number)
    if not any(hashlib.sha256(block).digest()):
        raise peer.Wrong("a hash cannot be that")
    return message(number, size)


# In the first process.


class Is:
    """A result that was taken, as peer.receive_and_check wants it."""

    def __init__(self, take):
        self.recv_bytes = take


def measure(new_pool, workers, task, size, count):
    want = peer.new_message(size)

    def turn():
        go = time.monotonic()
        for number, take in enumerate([pool.submit(task, number, size) for number in range(count)]):
            peer.receive_and_check(Is(take), want, number)
        return time.monotonic() - go

    begun = time.monotonic()
    context = multiprocessing.get_context()
    pool = new_pool(workers, begin, (context.Value("i", 0), context.Barrier(workers)), context)
    for take in [pool.submit(meet) for _ in range(workers)]:
        take()
    peer.end_with_children()
    started = time.monotonic() - begun
    turn()  # warms up
    seconds = turn()
    peer.over.set()
    pool.close()
    print(f'{{"messages":{count},"seconds":{seconds:.9f},"whole":{started + seconds:.9f}}}', flush=True)


def run(new_pool, workers=WORKERS, task=message):
    """Does what the command line says and ends the process."""
    try:
        size, count = int(sys.argv[2]), int(sys.argv[3])
        ok = len(sys.argv) == 4 and sys.argv[1] == "tasks" and 0 < size < 2**31 and 0 < count < 2**31
    except (IndexError, ValueError):
        ok = False
    if not ok:
        print(f"usage: {sys.argv[0]} tasks SIZE COUNT", file=sys.stderr)
        sys.exit(2)
    try:
        measure(new_pool, workers, task, size, count)
    except (OSError, EOFError, RuntimeError, peer.Wrong) as error:
        peer.over.set()
        print(peer.sentence(error), file=sys.stderr, flush=True)
        os._exit(1)
