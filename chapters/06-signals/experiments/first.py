"""SIGTERM to oneself: as an ordinary process, and as the first one of a PID namespace."""

import os
import subprocess
import sys
import tempfile

here = os.path.dirname(os.path.abspath(__file__))
unshare = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child"]

try:
    subprocess.run(unshare + ["true"], check=True, stderr=subprocess.PIPE)
except (OSError, subprocess.CalledProcessError) as error:
    print("no PID namespace here:", error)
    sys.exit(3)


def told(command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    how = f"exit status {done.returncode}" if done.returncode >= 0 else f"killed by signal {-done.returncode}"
    return ", ".join(done.stdout.split("\n")[:-1] + [how])


with tempfile.TemporaryDirectory() as folder:
    program = os.path.join(folder, "waits")
    subprocess.run(["go", "build", "-o", program, "./waits"], cwd=here, check=True)
    shell = ["sh", "-c", "kill -TERM $$; echo still here"]
    print("a shell:              ", told(shell))
    print("a shell as process 1: ", told(unshare + shell))
    print("Go:                   ", told([program, "self"]))
    print("Go as process 1:      ", told(unshare + [program, "self"]))
