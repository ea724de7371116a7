"""The same memory twice: is it at the same address?"""
import ctypes
import mmap
import tempfile

file = tempfile.TemporaryFile(dir="/dev/shm")
file.truncate(mmap.PAGESIZE)
first, second = (mmap.mmap(file.fileno(), mmap.PAGESIZE) for _ in range(2))
first[100:105] = b"hello"
print("the same bytes:  ", second[100:105] == b"hello")
addresses = [ctypes.addressof(ctypes.c_char.from_buffer(m)) for m in (first, second)]
print("the same address:", addresses[0] == addresses[1])
