"""The Python peer of a lock that nobody else wants: multiprocessing.Lock."""

import multiprocessing

import operation


def make():
    lock = multiprocessing.Lock()

    def once():
        lock.acquire()
        lock.release()

    return once


if __name__ == "__main__":
    operation.run(make)
