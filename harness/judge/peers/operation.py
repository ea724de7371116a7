"""What the Python peers share that send nothing: one process does something again and again,
while nobody else wants the same. A peer calls run with a function that makes it, and
returns what does it once."""

import sys
import time


def run(make):
    """Does what the command line says and ends the process."""
    try:
        benchmark, size, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
        ok = len(sys.argv) == 4 and benchmark == "operation"
        ok = ok and 0 < size < 2**31 and 0 < count < 2**63
    except (IndexError, ValueError):
        ok = False
    if not ok:
        print(f"usage: {sys.argv[0]} operation SIZE COUNT", file=sys.stderr)
        sys.exit(2)
    begin = time.monotonic()
    once = make()
    started = time.monotonic() - begin
    for _ in range(count):  # warms up
        once()
    go = time.monotonic()
    for _ in range(count):
        once()
    seconds = time.monotonic() - go
    print(f'{{"messages":{count},"seconds":{seconds:.9f},"whole":{started + seconds:.9f}}}', flush=True)
