"""A shell prints a line, leaves a process behind, and ends. When does the output end?"""

import os
import subprocess

r, w = os.pipe()
shell = subprocess.Popen(["sh", "-c", f"cat <&{r} & echo the output"], stdout=subprocess.PIPE, pass_fds=[r], text=True)
os.close(r)
print("read:", shell.stdout.readline().strip())
print("the shell has ended:", shell.wait() == 0)
os.set_blocking(shell.stdout.fileno(), False)
try:
    end = os.read(shell.stdout.fileno(), 1) == b""
except BlockingIOError:
    end = False
print("the output is at its end:", end)
os.close(w)  # what was left behind ends now
os.set_blocking(shell.stdout.fileno(), True)
print("the output is at its end, when the last one has ended:", shell.stdout.read() == "")
