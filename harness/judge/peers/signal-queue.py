"""The Python peer of an inbox: sigqueue(3) and signalfd(2). The standard library has neither, so
they are called through ctypes."""

import ctypes
import os
import signal
import struct

import peer
from queues import check, libc
from sigpair import Pair

MESSAGE, END = signal.SIGRTMIN, signal.SIGRTMIN + 1

libc.sigqueue.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_void_p]

# struct signalfd_siginfo: the signal comes first, the number after ten others.
INFO = struct.Struct("I 40x i 80x")


class End:
    def __init__(self, other):
        self.other = other
        mask = sum(1 << (number - 1) for number in Signals.signals)
        memory = ctypes.create_string_buffer(struct.pack("Q", mask), 128)  # sigset_t
        self.inbox = check(libc.signalfd(-1, memory, os.O_CLOEXEC), "signalfd")

    def send_bytes(self, message):
        check(libc.sigqueue(self.other, MESSAGE, message[0]), "sigqueue")

    def recv_bytes(self):
        number, value = INFO.unpack(os.read(self.inbox, INFO.size))
        if number == END:
            raise EOFError
        return bytes([value])

    def close(self):
        check(libc.sigqueue(self.other, END, 0), "sigqueue")


class Signals(Pair):
    signals = {MESSAGE, END}
    open_end = staticmethod(End)


if __name__ == "__main__":
    peer.run(Signals)
