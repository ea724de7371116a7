"""The Python peer of the file in which each record is made durable before the next."""

import peer
from file import Files, Writer


class DurableWriter(Writer):
    def send_bytes(self, message):
        super().send_bytes(message)
        self.sync()


class DurableFiles(Files):
    writer = DurableWriter


if __name__ == "__main__":
    peer.run(DurableFiles)
