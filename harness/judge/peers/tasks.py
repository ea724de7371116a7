"""What the Python peers share that are a pool: one process hands tasks to others, all of them, and
then takes all results. A peer calls run with how many workers there are, with a function that
makes the pool, one that hands all tasks over and returns an iterable of the results in their
order, one that ends the pool, and the task itself.

A task gets a number and a size."""

import hashlib
import sys
import time

from peer import new_message, set_number

messages = {}
block = bytearray(256 << 10)


def numbered(number, size):
    """Returns the message of that number."""
    message = messages.get(size)
    if message is None:
        message = messages[size] = new_message(size)
    set_number(message, number)
    return bytes(message)


def busy(number, size):
    """Hashes 256 KiB, and returns the message of that number."""
    set_number(block, number)
    hashlib.sha256(block).digest()
    return numbered(number, size)


def started(number):
    """Shows that a worker is there."""
    return number


def run(make, submit, end, task):
    """Does what the command line says and ends the process."""
    try:
        benchmark, size, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
        ok = len(sys.argv) == 4 and benchmark == "tasks"
        ok = ok and 8 <= size < 2**31 and 0 < count < 2**63
    except (IndexError, ValueError):
        ok = False
    if not ok:
        print(f"usage: {sys.argv[0]} tasks SIZE COUNT", file=sys.stderr)
        sys.exit(2)
    want = new_message(size)
    begin = time.monotonic()
    pool = make()
    whole = time.monotonic() - begin
    for _ in range(2):  # the first time warms up
        go = time.monotonic()
        n = 0
        for got in submit(pool, task, size, count):
            set_number(want, n)
            if got != want:
                sys.exit(f"task {n}: another result")
            n += 1
        seconds = time.monotonic() - go
    end(pool)
    print(f'{{"messages":{count},"seconds":{seconds:.9f},"whole":{whole + seconds:.9f}}}', flush=True)
