"""Makes queues of the usual size until the kernel refuses one."""
import resource
import sys

sys.dont_write_bytecode = True  # no folder shall appear beside the lesson

from libc import new_queue

resource.setrlimit(resource.RLIMIT_MSGQUEUE, (400_000, resource.getrlimit(resource.RLIMIT_MSGQUEUE)[1]))
made = 0
while isinstance(queue := new_queue(b"/limit", 10, 8192), int):
    made += 1
print(f"{made} queues, and then: {queue}")
