"""Three deadlines for a receive from an empty queue. How long does each wait?"""
import ctypes
import sys
import time

sys.dont_write_bytecode = True  # no folder shall appear beside the lesson

from libc import Time, libc, new_queue, tell

queue = new_queue(b"/deadline", 1, 8)
memory = ctypes.create_string_buffer(8)
now = int(time.time())
for words, deadline in (("2 s", 2), ("an hour ago", now - 3600), ("now + 2 s", now + 2)):
    begun = time.monotonic()
    result = tell(libc.mq_timedreceive(queue, memory, 8, None, ctypes.byref(Time(deadline, 0))))
    waited = "at once" if time.monotonic() - begun < 0.5 else "later"
    print(f"deadline {words:11}: {result}, {waited}")
libc.mq_send(queue, b"hello", 5, 0)
print("an hour ago, with a message there:", tell(libc.mq_timedreceive(queue, memory, 8, None, ctypes.byref(Time(now - 3600, 0)))))
