"""What the five stages share: processes, and a look whether one of them waits for ever.

Each stage is a counter (a queue of multiprocessing), cooks who put dishes there, and diners who
take them. Only the main process prints, so the lines come in the same order each time.
"""

import ctypes
import multiprocessing
import os
import signal
import time

fork = multiprocessing.get_context("fork")

Queue = fork.Queue
JoinableQueue = fork.JoinableQueue
Event = fork.Event

CLOSED = "the kitchen is closed"  # the end marker


def start(work, *args, daemon=False):
    process = fork.Process(target=begin, args=(work, *args), daemon=daemon)
    process.start()
    return process


def begin(work, *args):
    """Where the main process is killed, nobody is left (PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    work(*args)


def number():
    """A number that all processes share."""
    return fork.Value("i", 0)


def add(shared):
    with shared.get_lock():
        shared.value += 1


def cook(counter, dishes):
    for n in range(dishes):
        counter.put(f"dish {n}")


def diner(counter, eaten):
    """Eats until the kitchen is closed. Where nobody says so, it is for ever."""
    while counter.get() != CLOSED:
        add(eaten)


def look(pid):
    """How often each thread of a process has gone to sleep, or None if one does not sleep."""
    counts = []
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/status") as status:
            fields = dict(line.split(":", 1) for line in status)
        if not fields["State"].startswith("\tS"):
            return None
        counts.append((thread, fields["voluntary_ctxt_switches"]))
    return counts


def waiting(*processes):
    """How many of these wait for ever: they sleep, and in five looks none of them has moved. All
    that could wake them have to be among them, or to have ended."""
    same, before = 0, None
    while True:
        try:
            now = [look(process.pid) for process in processes if process.is_alive()]
        except (FileNotFoundError, ProcessLookupError):
            continue  # one is ending
        same = same + 1 if None not in now and now == before else 0
        if same == 5 or not now:
            return len(now)
        before = now
        time.sleep(0.02)


def end(*processes):
    for process in processes:
        process.kill()
        process.join()
