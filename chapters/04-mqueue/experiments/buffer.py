"""A queue for messages of up to 100 bytes has one of 5 bytes in it."""
import ctypes
import sys

sys.dont_write_bytecode = True  # no folder shall appear beside the lesson

from libc import libc, new_queue, tell

queue = new_queue(b"/buffer", 4, 100)
libc.mq_send(queue, b"hello", 5, 0)
memory = ctypes.create_string_buffer(200)
for room in (5, 99, 100, 200):
    print(f"receiving with room for {room:3}:", tell(libc.mq_receive(queue, memory, room, None)))
    if room == 100:
        libc.mq_send(queue, b"hello", 5, 0)
print("sending 101 bytes:        ", tell(libc.mq_send(queue, memory, 101, 0)))
