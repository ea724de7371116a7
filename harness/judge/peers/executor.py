"""What the peers share that are a concurrent.futures.ProcessPoolExecutor."""

import concurrent.futures
import multiprocessing

import tasks


def run(workers, task):
    """Runs tasks in so many workers."""

    def make():
        context = multiprocessing.get_context("fork")
        pool = concurrent.futures.ProcessPoolExecutor(workers, mp_context=context)
        for f in [pool.submit(tasks.started, n) for n in range(workers)]:
            f.result()
        return pool

    def submit(pool, task, size, count):
        futures = [pool.submit(task, n, size) for n in range(count)]
        return (f.result() for f in futures)

    tasks.run(make, submit, lambda pool: pool.shutdown(), task)
