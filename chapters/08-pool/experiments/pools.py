"""What the experiments share: Python's two pools, and what has become of a task."""

import concurrent.futures
import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import time
import warnings

warnings.simplefilter("ignore", DeprecationWarning)  # newer versions warn of fork
fork = multiprocessing.get_context("fork")


def begin():
    """A worker ends when the main process is killed (PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def executor(workers=1):
    return concurrent.futures.ProcessPoolExecutor(workers, mp_context=fork, initializer=begin)


def pool(workers=1):
    """A thread of the pool that dies of an error says so on standard error: here it is silent."""
    threading.excepthook = lambda args: None
    return fork.Pool(workers, initializer=begin)


def told(get, *args):
    """What a future says, or that nobody says anything. A second is long for a task that is done at once."""
    try:
        return repr(get(*args))
    except (concurrent.futures.TimeoutError, multiprocessing.TimeoutError):
        return "waits for ever"
    except Exception as error:
        return type(error).__name__


def submit(executor, task, *args):
    """Submits, and says what came of it: also where submit itself refuses."""
    try:
        future = executor.submit(task, *args)
    except Exception as error:
        refused = type(error).__name__
        return lambda timeout: "submit refuses: " + refused
    return lambda timeout: told(future.result, timeout)


def wait_until_idle(pid):
    """Until a worker sleeps. When it has sent its result, that is where it waits for a task."""
    while True:
        with open(f"/proc/{pid}/stat") as stat:
            if stat.read().rpartition(")")[2].split()[0] == "S":
                return
        time.sleep(0.01)


def end():
    """Ends all, also what waits for ever."""
    for process in multiprocessing.active_children():
        process.kill()
    sys.stdout.flush()
    os._exit(0)


def square(n):
    return n * n


def pid():
    return os.getpid()
