"""What the two Python peers of the process pool share: what a task does, and what the first process
does. A peer calls run with a function that makes a pool: of so many workers, with an initializer and
its arguments, in a context. The pool has submit, which returns a function that waits for the result,
and close."""

import functools
import multiprocessing
import os
import struct
import sys
import time

import peer

WORKERS, MOST_WORKERS = 2, 64
# A linear congruential generator, of 64 bits.
STEPS, FACTOR, ADDEND, MASK = 200_000, 6364136223846793005, 1442695040888963407, 2**64 - 1


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


def meet():
    """Returns when each worker runs this: so all are there."""
    met.wait()


new_message = functools.lru_cache(maxsize=1)(peer.new_message)


def message(number, size):
    result = new_message(size)
    peer.set_number(result, number)
    return bytes(result)


def work(number):
    for _ in range(STEPS):
        number = number * FACTOR + ADDEND & MASK
    return number


# In the first process.


def all_steps():
    """What so many steps make of any x: x * a + b."""
    a, b = 1, 0
    for _ in range(STEPS):
        a, b = a * FACTOR & MASK, b * FACTOR + ADDEND & MASK
    return a, b


class Is:
    """A result that was taken, as peer.receive_and_check wants it."""

    def __init__(self, take):
        self.recv_bytes = take


def measure(new_pool, benchmark, size, count):
    workers = size if benchmark == "work" else WORKERS
    a, b = all_steps()
    want = peer.new_message(size)

    def turn():
        go = time.monotonic()
        if benchmark == "work":
            for number, take in enumerate([pool.submit(work, number) for number in range(count)]):
                if take() != number * a + b & MASK:
                    raise peer.Wrong(f"task {number} has another result")
        else:
            for number, take in enumerate([pool.submit(message, number, size) for number in range(count)]):
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


def run(new_pool):
    """Does what the command line says and ends the process."""
    try:
        benchmark, size, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
        most = {"tasks": 2**31 - 1, "work": MOST_WORKERS}.get(benchmark, 0)
        ok = len(sys.argv) == 4 and 0 < size <= most and 0 < count < 2**31
    except (IndexError, ValueError):
        ok = False
    if not ok:
        print(f"usage: {sys.argv[0]} tasks SIZE COUNT, or work WORKERS COUNT", file=sys.stderr)
        sys.exit(2)
    try:
        measure(new_pool, benchmark, size, count)
    except (OSError, EOFError, RuntimeError, peer.Wrong) as error:
        peer.over.set()
        print(peer.sentence(error), file=sys.stderr, flush=True)
        os._exit(1)
