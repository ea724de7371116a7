"""The Python peer beside the joinable queue of futexes: the same as joinable.py, since Python has
no other one."""

import multiprocessing
import sys

import crowd
import joinable
import peer

if __name__ == "__main__":
    if sys.argv[1:2] == ["crowd"]:
        crowd.run(lambda: multiprocessing.JoinableQueue(joinable.BOUND), joinable.End)
    peer.run(joinable.Joinable)
