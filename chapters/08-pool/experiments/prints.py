"""A task prints. First in ProcessPoolExecutor, then in a pool that people write themselves: the worker reads its
tasks from standard input, and writes its results to standard output, a line of JSON for each."""

import json
import subprocess
import sys

import pools

WORKER = """
import json, sys
for line in sys.stdin:
    n = json.loads(line)
    if n == 8:
        print("n is", n)  # somebody looks for a mistake
    print(json.dumps(n * n), flush=True)
"""


def prints(n):
    print("n is", n, flush=True)
    return n * n


if __name__ == "__main__":
    print("ProcessPoolExecutor", flush=True)
    executor = pools.executor()
    for n in (7, 8):
        print(f"  the square of {n}:", executor.submit(prints, n).result(), flush=True)
    print("JSON on standard output")
    worker = subprocess.Popen([sys.executable, "-c", WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    for n in (7, 8, 9):
        print(n, file=worker.stdin, flush=True)
        line = worker.stdout.readline()
        try:
            print(f"  the square of {n}:", json.loads(line))
        except json.JSONDecodeError:
            print(f"  the square of {n}: no JSON: {line!r}")
    worker.kill()
    pools.end()
