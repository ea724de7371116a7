"""The Python peer of a semaphore for which nobody waits: multiprocessing.Semaphore."""

import multiprocessing

import operation


def make():
    semaphore = multiprocessing.Semaphore(0)

    def once():
        semaphore.release()
        semaphore.acquire()

    return once


if __name__ == "__main__":
    operation.run(make)
