"""The Python peer of the file that is made durable at the end: the transfer counts
until the disk has all of it."""

import peer
from file import Files


class FilesOnDisk(Files):
    def settle(self):
        self.outgoing.sync()


if __name__ == "__main__":
    peer.run(FilesOnDisk)
