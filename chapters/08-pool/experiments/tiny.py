"""The same tasks in a loop, and in a pool: one by one, and a thousand in one message. What is quicker?"""

import time

import pools

TASKS, CHUNK = 5_000, 1_000


def seconds(work):
    begin = time.monotonic()
    assert sum(work()) == sum(n * n for n in range(TASKS))
    return time.monotonic() - begin


if __name__ == "__main__":
    executor = pools.executor(2)
    executor.submit(pools.pid).result()  # it is there
    loop = seconds(lambda: map(pools.square, range(TASKS)))
    each = seconds(lambda: executor.map(pools.square, range(TASKS)))
    many = seconds(lambda: executor.map(pools.square, range(TASKS), chunksize=CHUNK))
    print("A pool of two is slower than a loop, by more than a factor of 20:", each > 20 * loop)
    print("With 1,000 tasks in one message it is quicker than without, by more than a factor of 5:", many * 5 < each)
    pools.end()
