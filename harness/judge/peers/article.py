"""The way of the articles: no frames, the text EOF as the end, and a reader that
opens the file anew for each look. It does not wait for news but looks again at once.
It cannot see that its writer has died.

The articles call os.sync() first, "so that writes are immediate". It is left out
here: it changes nothing about them, and the whole machine would wait for its disks.
"""

import atexit
import os
import shutil
import sys
import tempfile

import peer


class Writer:
    def __init__(self, path):
        self.file = open(path, "ab")

    def send_bytes(self, message):
        self.file.write(message)
        self.file.flush()

    def close(self):
        self.send_bytes(b"EOF")
        self.file.close()


class Reader:
    def __init__(self, path, size):
        self.path, self.size, self.at = path, size, 0

    def recv_bytes(self):
        while True:
            with open(self.path, "rb") as file:
                file.seek(self.at)
                data = file.read(max(self.size, 3))
            if data == b"EOF":
                raise EOFError
            if len(data) >= self.size:
                self.at += self.size
                return data[: self.size]
            os.sched_yield()  # the writer may need this very core

    def close(self):
        pass


class Article:
    """Without frames the reader has to know the size beforehand."""

    def __init__(self, both_ways):
        self.size = int(sys.argv[2])
        self.folder = tempfile.mkdtemp(prefix="article-", dir=os.environ.get("IPC_FILES") or None)
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        self.to_first = os.path.join(self.folder, "to-first")
        self.to_second = os.path.join(self.folder, "to-second")
        for path in self.to_first, self.to_second:
            open(path, "xb").close()

    def open_second(self):
        peer.end_with_first()
        return Reader(self.to_second, self.size), Writer(self.to_first)

    def open_first(self):
        return Reader(self.to_first, self.size), Writer(self.to_second)


if __name__ == "__main__":
    peer.run(Article)
