"""The Python peer of the file: one process appends frames, the other one follows.

The frames, the end mark and the lock are those of the chapter, so that its reader
can follow this writer, and the other way round. The kernel writes to the disk when
it likes. What waits for the disk is in file-close.py and file-each.py.

The standard library has nothing for inotify(7). But the calls are in the C library,
which is loaded anyway, and ctypes can call them.
"""

import atexit
import ctypes
import fcntl
import os
import shutil
import struct
import tempfile

import peer

HEADER = struct.Struct(">I")
END_MARK = HEADER.pack(0xFFFFFFFF)  # no message has this length

F_OFD_SETLK = 37  # fcntl has the name from Python 3.9 on

IN_MODIFY, IN_CLOSE_WRITE, IN_CLOEXEC = 0x2, 0x8, os.O_CLOEXEC
EVENT = struct.Struct("iIII")  # and a name, which is empty: a file is watched itself

libc = ctypes.CDLL(None, use_errno=True)


def checked(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


class Writer:
    def __init__(self, path):
        self.file = open(path, "ab")
        fcntl.fcntl(self.file, F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))

    def fileno(self):
        return self.file.fileno()

    def send_bytes(self, message):
        self.file.write(HEADER.pack(len(message)))
        self.file.write(message)
        self.file.flush()  # out of this process; to the disk is another thing

    def sync(self):
        os.fdatasync(self.file.fileno())

    def close(self):
        self.file.write(END_MARK)
        self.file.close()


class Follower:
    def __init__(self, path):
        self.file = open(path, "rb", buffering=64 * 1024)
        self.changes = checked(libc.inotify_init1(IN_CLOEXEC))
        checked(libc.inotify_add_watch(self.changes, os.fsencode(path), IN_MODIFY | IN_CLOSE_WRITE))
        self.writer_gone = False

    def recv_bytes(self):
        header = self.exactly(HEADER.size)
        if header == END_MARK or not header:
            raise EOFError
        (size,) = HEADER.unpack(header)
        message = self.exactly(size)
        if len(header) < HEADER.size or len(message) < size:
            raise OSError("got end of file during message")
        return message

    def exactly(self, size):
        """Reads size bytes, fewer only when the writer is gone."""
        data = self.file.read(size)
        while len(data) < size and not self.writer_gone:
            self.wait_for_more()
            data += self.file.read(size - len(data))
        return data

    def wait_for_more(self):
        """Waits until something has happened to the file.

        The watch was there before the first read. So what happens between a read
        that found nothing and this call is an event already.
        """
        for _, mask, _, _ in EVENT.iter_unpack(os.read(self.changes, 64 * EVENT.size)):
            if mask & IN_CLOSE_WRITE:
                self.writer_gone = True  # there is one writer; the caller reads once more

    def close(self):
        self.file.close()
        os.close(self.changes)


class Files:
    """Both processes open the files by their paths."""

    writer = Writer
    settle = None  # see peer.py

    def __init__(self, both_ways):
        # Below IPC_FILES, or TMPDIR: see doc.go.
        self.folder = tempfile.mkdtemp(prefix="file-", dir=os.environ.get("IPC_FILES") or None)
        # Only the first process does this, if it ends before open_first.
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        self.to_first = os.path.join(self.folder, "to-first")
        self.to_second = os.path.join(self.folder, "to-second") if both_ways else None
        for path in filter(None, (self.to_first, self.to_second)):
            open(path, "xb").close()
        self.first_in = Follower(self.to_first)

    def __getstate__(self):
        """What the second process is told, where it is not forked."""
        return {**self.__dict__, "first_in": None}

    def open_second(self):
        peer.end_with_first()
        if self.first_in is not None:
            self.first_in.close()  # it is the other process's
        self.outgoing = self.writer(self.to_first)
        return Follower(self.to_second) if self.to_second else None, self.outgoing

    def open_first(self):
        outgoing = self.writer(self.to_second) if self.to_second else None
        shutil.rmtree(self.folder)  # whoever has it open may go on
        return self.first_in, outgoing


if __name__ == "__main__":
    peer.run(Files)
