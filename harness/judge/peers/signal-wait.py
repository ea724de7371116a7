"""The Python peer of a listener: os.kill sends a signal, and signal.sigwaitinfo takes it. It
carries nothing, so the messages are counted."""

import os
import signal
import sys

import peer
from sigpair import Pair

MESSAGE, END = signal.SIGUSR1, signal.SIGUSR2


class End:
    def __init__(self, other):
        self.other = other
        self.count = int(sys.argv[3])
        self.next = 0

    def send_bytes(self, message):
        os.kill(self.other, MESSAGE)

    def recv_bytes(self):
        number = signal.sigwaitinfo(Signals.signals).si_signo
        if number == END:
            raise EOFError
        message = bytes([self.next % 256])
        self.next = (self.next + 1) % self.count
        return message

    def close(self):
        os.kill(self.other, END)


class Signals(Pair):
    signals = {MESSAGE, END}
    open_end = staticmethod(End)


if __name__ == "__main__":
    peer.run(Signals)
