"""The Python peer of the FIFO: os.mkfifo, and multiprocessing's Connection on it.

The standard library has nothing ready for a FIFO. But a Connection can be made
from any descriptor. Its frames are those of the pipe's peer.
"""

import atexit
import os
import shutil
import tempfile
from multiprocessing.connection import Connection

import peer


def open_fifo(path, flags):
    """Opens without waiting for the other side.

    An open of a FIFO waits until the other side opens it too. With a process that
    has died it would wait for ever. With O_NONBLOCK the reader need not wait, and
    the writer gets ENXIO if there is no reader. So the reader always opens first.
    Reading and writing shall block: O_NONBLOCK is taken away after the open.
    """
    fd = os.open(path, flags | os.O_NONBLOCK)
    os.set_blocking(fd, True)
    return Connection(fd, readable=flags == os.O_RDONLY, writable=flags == os.O_WRONLY)


class Fifos:
    """Both processes open the FIFOs by their paths."""

    def __init__(self, both_ways):
        self.folder = tempfile.mkdtemp(prefix="fifo-")  # below TMPDIR
        self.to_first = os.path.join(self.folder, "to-first")
        self.to_second = os.path.join(self.folder, "to-second") if both_ways else None
        # Only the first process does this, if it ends before open_first.
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        os.mkfifo(self.to_first, 0o600)
        if both_ways:
            os.mkfifo(self.to_second, 0o600)
        self.first_in = open_fifo(self.to_first, os.O_RDONLY)

    def open_second(self):
        self.first_in.close()  # it is the other process's end
        incoming = None
        outgoing = open_fifo(self.to_first, os.O_WRONLY)
        if self.to_second is not None:
            incoming = open_fifo(self.to_second, os.O_RDONLY)
        return incoming, outgoing

    def open_first(self):
        outgoing = None
        if self.to_second is not None:
            outgoing = open_fifo(self.to_second, os.O_WRONLY)
        shutil.rmtree(self.folder)  # whoever has it open may go on
        return self.first_in, outgoing


if __name__ == "__main__":
    peer.run(Fifos)
