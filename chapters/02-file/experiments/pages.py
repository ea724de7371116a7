"""8 MiB are written in blocks of 1 KiB, in three ways. Time is the least of five tries:
other programs make a try slower, and nothing makes it faster."""

import os
import time

PATH = ".workbook/records"
BLOCK = bytes(1024)


def write(blocks=8192, anew=False, flags=0, sync=False):
    """Return the seconds of the processor, and the seconds that passed."""
    if anew and os.path.exists(PATH):
        os.unlink(PATH)
    f = os.open(PATH, os.O_WRONLY | os.O_CREAT | flags, 0o600)
    used, passed = time.process_time(), time.perf_counter()
    for _ in range(blocks):
        os.write(f, BLOCK)
    if sync:
        os.fdatasync(f)
    used, passed = time.process_time() - used, time.perf_counter() - passed
    os.close(f)
    return used, passed


def least(which, **how):
    return min(write(**how)[which] for _ in range(5))


PROCESSOR, PASSED = 0, 1
print(f"A new file:          {least(PROCESSOR, anew=True):.4f} s of the processor")
print(f"Over what is there:  {least(PROCESSOR):.4f} s of the processor")
once = least(PASSED, sync=True) / 8192
each = least(PASSED, blocks=64, flags=os.O_DSYNC) / 64
os.unlink(PATH)
print(f"A wait for the disk at the end:     {once * 1e6:.0f} us for each block")
print(f"A wait for the disk at each block:  {each * 1e6:.0f} us for each block")
