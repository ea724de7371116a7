"""A value that is too high, and a set that is removed under one who waits."""
import ctypes
import os

from libc import IPC_PRIVATE, getval, libc, remove, semget, semop, setval

semaphores = semget(IPC_PRIVATE)
print("setting 32767:", setval(semaphores, 32767))
print("one more:     ", semop(semaphores, 1))
print("setting 32768:", setval(semaphores, 32768))
setval(semaphores, 0)
read, write = os.pipe()
child = os.fork()
if child == 0:
    os.write(write, semop(semaphores, -1).encode())
    os._exit(0)
GETNCNT = 14
while libc.semctl(semaphores, 0, GETNCNT) == 0:  # until it waits
    os.sched_yield()
remove(semaphores)
os.waitpid(child, 0)
print("who waited:   ", os.read(read, 100).decode())
print("who comes now:", semop(semaphores, -1))
