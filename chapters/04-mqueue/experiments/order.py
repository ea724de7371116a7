"""Four messages go into a queue of each kind, numbered 1, 2, 3, 4. Who comes out first?"""
import ctypes
import os
import sys

sys.dont_write_bytecode = True  # no folder shall appear beside the lesson

from libc import Message, libc, new_queue

numbers = [3, 1, 2, 1]  # a priority, or a type

queue = new_queue(b"/order", 4, 8)
for i, priority in enumerate(numbers, 1):
    libc.mq_send(queue, str(i).encode(), 1, priority)
memory = ctypes.create_string_buffer(8)
out = []
for _ in numbers:
    libc.mq_receive(queue, memory, 8, None)
    out.append(memory.value.decode())
print("POSIX, by priority:        ", *out)

for asked in (0, 1, -2):
    queue = libc.msgget(0, 0o600)  # IPC_PRIVATE
    for i, kind in enumerate(numbers, 1):
        libc.msgsnd(queue, ctypes.byref(Message(kind, str(i).encode())), 1, 0)
    out = []
    message = Message()
    while libc.msgrcv(queue, ctypes.byref(message), 8192, asked, 0o4000) >= 0:  # IPC_NOWAIT
        out.append(message.text.decode())
    libc.msgctl(queue, 0, None)  # IPC_RMID
    print(f"System V, asked for type {asked:2}:", *out)
