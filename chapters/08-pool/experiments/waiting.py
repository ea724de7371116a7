"""A hundred thousand tasks wait in a pool whose worker is busy. How much memory does the process need that has
submitted them, for each of them? In each of Python's two pools."""

import os

import pools

TASKS = 100_000


def memory():
    """Of this process, in bytes: what is really there (proc_pid_statm(5))."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def each(submit):
    before = memory()
    futures = [submit(n) for n in range(TASKS)]
    return (memory() - before) // len(futures)


if __name__ == "__main__":
    r, w = os.pipe()
    executor = pools.executor()
    executor.submit(os.read, r, 1)
    executors = each(lambda n: executor.submit(pools.square, n))
    pool = pools.pool()
    pool.apply_async(os.read, (r, 1))
    others = each(lambda n: pool.apply_async(pools.square, (n,)))
    for name, bytes_each in (("ProcessPoolExecutor", executors), ("multiprocessing.Pool", others)):
        print(f"{name}: each task that waits needs more than 1,000 bytes: {bytes_each > 1000}")
    pools.end()
