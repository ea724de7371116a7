"""What the Python peers of signals share: two processes that signal each other.

A message is one signal, and another one is the end. Both are blocked, so that they wait until
somebody takes them.
"""

import multiprocessing
import os
import signal

import peer
import queues


class Pair:
    """Two processes that know each other's pid. open_end(pid) makes what a process receives from
    and sends to."""

    def __init__(self, both_ways):
        if not both_ways:
            raise peer.Wrong("signals are measured as a ping-pong only")
        self.first = os.getpid()
        self.block()

    def block(self):
        signal.pthread_sigmask(signal.SIG_BLOCK, self.signals)

    def open_second(self):
        self.block()
        peer.end_with_first()
        end = self.open_end(self.first)
        return end, end

    def open_first(self):
        end = self.open_end(multiprocessing.active_children()[0].pid)
        queues.watch_the_second(self.open_end(self.first))
        return end, end
