"""A semaphore of System V is made in two steps. What if a second process comes in between?"""
import random

from libc import IPC_NOWAIT, getval, remove, semget, semop, setval

key = random.randrange(1, 2**31)
first = semget(key)
print("the first process makes the set; its value is", getval(first))
second = semget(key)
print("the second one finds it, and posts:", semop(second, 1))
print("the first one sets the value to 0, as it had planned:", setval(first, 0))
print("the second one waits for what it has posted:", semop(second, -1, IPC_NOWAIT))
remove(first)
