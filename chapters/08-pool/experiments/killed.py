"""A worker is killed, as the kernel does it when memory is short: in a task, and with nothing to do.
What becomes of that task, and of the next one? In each of Python's two pools."""

import os
import signal

import pools

LONG, SHORT = 60, 1  # seconds: for what comes, and for what does not


def is_killed(r):
    os.read(r, 1)  # until the other tasks were submitted
    os.kill(os.getpid(), signal.SIGKILL)


def kill_idle(pid):
    pools.wait_until_idle(pid)
    os.kill(pid, signal.SIGKILL)


def executor_in_a_task():
    r, w = os.pipe()
    executor = pools.executor()
    task, next_one = pools.submit(executor, is_killed, r), pools.submit(executor, pools.square, 7)
    os.write(w, b"!")
    print("  in a task:          it:", task(LONG))
    print("                      the next one:", next_one(LONG))
    print("                      one more:", pools.submit(executor, pools.square, 7)(LONG))


def pool_in_a_task():
    r, w = os.pipe()
    pool = pools.pool()
    task, next_one = pool.apply_async(is_killed, (r,)), pool.apply_async(pools.square, (7,))
    os.write(w, b"!")
    print("  in a task:          the next one:", pools.told(next_one.get, LONG))
    print("                      it:", pools.told(task.get, SHORT))


def pool_when_idle():
    pool = pools.pool()
    kill_idle(pool.apply(pools.pid))
    print("  with nothing to do: the next one:", pools.told(pool.apply_async(pools.square, (7,)).get, SHORT))


if __name__ == "__main__":
    print("ProcessPoolExecutor, one worker, which is killed")
    executor_in_a_task()
    print("multiprocessing.Pool, one worker, which is killed")
    pool_in_a_task()
    pool_when_idle()
    pools.end()
