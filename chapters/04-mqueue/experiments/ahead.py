"""A producer without a consumer: how many messages fit into a queue of the usual size?"""
import ctypes
import os
import sys

sys.dont_write_bytecode = True  # no folder shall appear beside the lesson

from libc import Message, libc, new_queue

memory = ctypes.create_string_buffer(8192)
print("size of a message     POSIX  System V")
for size in (0, 64, 1024, 8192):
    queue = new_queue(b"/ahead", 10, 8192, os.O_NONBLOCK)
    posix = 0
    while libc.mq_send(queue, memory, size, 0) == 0:
        posix += 1
    os.close(queue)
    queue = libc.msgget(0, 0o600)  # IPC_PRIVATE
    system_v = 0
    while libc.msgsnd(queue, ctypes.byref(Message(type=1)), size, 0o4000) == 0:  # IPC_NOWAIT
        system_v += 1
    libc.msgctl(queue, 0, None)  # IPC_RMID
    print(f"{size:5} bytes         {posix:8}  {system_v:8}")
