"""A process takes a semaphore of System V, and is killed. What is the value then?"""
import os
import signal

from libc import IPC_PRIVATE, SEM_UNDO, getval, remove, semget, semop, setval

for name, flags in ("without SEM_UNDO", 0), ("with SEM_UNDO", SEM_UNDO):
    semaphores = semget(IPC_PRIVATE)
    setval(semaphores, 1)
    child = os.fork()
    if child == 0:
        semop(semaphores, -1, flags)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    print(f"{name:16}: the value is {getval(semaphores)}")
    remove(semaphores)
