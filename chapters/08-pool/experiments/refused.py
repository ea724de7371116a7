"""A task raises an exception of its own, which is built of two arguments. Pickle keeps one of them: so it can be
sent, and cannot be made again on the other side. What becomes of the task, and of the next one?"""

import threading

import pools

LONG, SHORT = 60, 1  # seconds: for what comes, and for what does not


class Refused(Exception):
    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


def refuses():
    raise Refused(403, "not today")


def a_lock():
    return threading.Lock()


if __name__ == "__main__":
    print("A result that cannot be pickled")
    executor, pool = pools.executor(), pools.pool()
    print("  ProcessPoolExecutor:", pools.submit(executor, a_lock)(LONG))
    print("         the next one:", pools.submit(executor, pools.square, 7)(LONG))
    print("                 Pool:", pools.told(pool.apply_async(a_lock).get, LONG))
    print("         the next one:", pools.told(pool.apply_async(pools.square, (7,)).get, LONG))
    print("An exception that cannot be unpickled")
    print("  ProcessPoolExecutor:", pools.submit(executor, refuses)(LONG))
    print("         the next one:", pools.submit(executor, pools.square, 7)(LONG))
    print("                 Pool:", pools.told(pool.apply_async(refuses).get, SHORT))
    print("         the next one:", pools.told(pool.apply_async(pools.square, (7,)).get, SHORT))
    pools.end()
