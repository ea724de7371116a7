"""A task has a callback, which raises. What becomes of the result, and of the next task?"""

import logging
import threading

import pools

LONG, SHORT = 60, 1  # seconds: for what comes, and for what does not


def raises(_):
    raise ValueError("a mistake in the callback")


def executors():
    called = threading.Event()
    executor = pools.executor()
    future = executor.submit(pools.square, 7)
    future.add_done_callback(raises)
    future.add_done_callback(lambda _: called.set())
    print("ProcessPoolExecutor: the result:", pools.told(future.result, LONG))
    print("                     the second callback is called:", called.wait(LONG))
    print("                     the next one:", pools.submit(executor, pools.square, 8)(LONG))


def pool():
    pool = pools.pool()
    result = pool.apply_async(pools.square, (7,), callback=raises)
    print("Pool:                the result:", pools.told(result.get, SHORT))
    print("                     the next one:", pools.told(pool.apply_async(pools.square, (8,)).get, SHORT))


if __name__ == "__main__":
    logging.disable()  # the executor logs it, with its traceback
    executors()
    pool()
    pools.end()
