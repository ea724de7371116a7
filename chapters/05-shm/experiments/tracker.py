"""One Python program makes a segment, another one attaches to it and ends. Who removes it?"""
import os
import subprocess
import sys
from multiprocessing import resource_tracker, shared_memory

made = shared_memory.SharedMemory(create=True, size=100)
print("the name is there:", os.path.exists("/dev/shm/" + made.name))
attach = "import sys; from multiprocessing import shared_memory; shared_memory.SharedMemory(name=sys.argv[1]).close()"
subprocess.run([sys.executable, "-c", attach, made.name], stderr=subprocess.PIPE)  # until nobody has it: its tracker ends last
print("the name is there, after a second program has attached, closed and ended:", os.path.exists("/dev/shm/" + made.name))
made.close()
try:
    made.unlink()
except FileNotFoundError:
    resource_tracker.unregister("/" + made.name, "shared_memory")
