"""A pool of two processes: multiprocessing.Pool, and apply_async for each task."""

import multiprocessing

import tasks


def make():
    pool = multiprocessing.get_context("fork").Pool(2)
    for r in [pool.apply_async(tasks.started, (n,)) for n in range(2)]:
        r.get()
    return pool


def submit(pool, task, size, count):
    results = [pool.apply_async(task, (n, size)) for n in range(count)]
    return (r.get() for r in results)


def end(pool):
    pool.close()
    pool.join()


tasks.run(make, submit, end, tasks.numbered)
