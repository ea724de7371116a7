"""What a signal does to a program that does nothing about it: one in C (cat), and one in Go."""

import os
import signal
import subprocess
import sys
import tempfile
import time

here = os.path.dirname(os.path.abspath(__file__))


def settled(pid):
    """Waits until nothing is pending for the process, and it neither runs nor is on its way."""
    quiet = 0
    while quiet < 3:
        with open(f"/proc/{pid}/status") as f:
            status = dict(line.split(":\t", 1) for line in f if ":\t" in line)
        pending = int(status["SigPnd"], 16) | int(status["ShdPnd"], 16)
        state = status["State"][0]
        if state == "Z":
            break
        quiet = quiet + 1 if not pending and state in "ST" else 0
        time.sleep(0.005)
    return state


def name(number):
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIGRTMIN+{number - 34}"


def effect(command, number):
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                             process_group=0 if sys.version_info >= (3, 11) else None)
    if command == ["cat"]:
        child.stdin.write(b"ready\n")
        child.stdin.flush()
    child.stdout.readline()
    try:
        settled(child.pid)
        os.kill(child.pid, number)
        state = settled(child.pid)
        if state == "T":
            return "is stopped"
        if state == "S":
            return "goes on"
        status = child.wait()
        return f"exit status {status}" if status >= 0 else "is killed"
    finally:
        child.kill()
        child.communicate()


with tempfile.TemporaryDirectory() as folder:
    program = os.path.join(folder, "waits")
    subprocess.run(["go", "build", "-o", program, "./waits"], cwd=here, check=True)
    print("signal        C           Go")
    for word in sys.argv[1:]:
        number = int(word) if word.isdigit() else signal.Signals["SIG" + word]
        print(f"{name(number):12}  {effect(['cat'], number):10}  {effect([program], number)}")
