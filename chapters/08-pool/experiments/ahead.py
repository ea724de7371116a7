"""Ten thousand inputs, of which each is made when somebody asks for it. One result is taken. How many inputs
were made by then?"""

import time

import pools

INPUTS = 10_000


class Made:
    """Counts how many inputs were asked for."""

    def __init__(self):
        self.count = 0

    def __iter__(self):
        for n in range(INPUTS):
            self.count += 1
            yield n


def settled(made):
    """How many it is at last: all of them, or so many that for some seconds no more are asked for."""
    before, same = -1, 0
    while made.count < INPUTS and same < 10:
        same = same + 1 if made.count == before else 0
        before = made.count
        time.sleep(0.3)
    return made.count


if __name__ == "__main__":
    executor, pool = pools.executor(), pools.pool()
    made = Made()
    next(executor.map(pools.square, made))
    print("ProcessPoolExecutor.map: one result was taken, and", settled(made), "inputs were made")
    made = Made()
    next(pool.imap(pools.square, made))
    print("Pool.imap:               one result was taken, and", settled(made), "inputs were made")
    pools.end()
