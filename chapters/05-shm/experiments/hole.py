"""A mapping of two pages, of a file that has one. When does anybody say so?"""
import mmap
import os
import signal
import tempfile

page = mmap.PAGESIZE
file = tempfile.TemporaryFile(dir="/dev/shm")
os.ftruncate(file.fileno(), 2 * page)
print("pages that the file takes:", os.fstat(file.fileno()).st_blocks * 512 // page, "of 2")
memory = mmap.mmap(file.fileno(), 2 * page)
print("mapping two pages: done")
os.ftruncate(file.fileno(), page)
print("cutting the file to one page: done")
child = os.fork()
if child == 0:
    memory[0] = 1
    print("writing to the first page: done", flush=True)
    memory[page] = 1
    print("writing to the second page: done", flush=True)
    os._exit(0)
_, status = os.waitpid(child, 0)
print("the process ended by", signal.Signals(os.WTERMSIG(status)).name)
