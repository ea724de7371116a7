"""The Python peer of the stream socket: the socket module, AF_UNIX and SOCK_STREAM.

The file is not called socket.py: Python would take it for the module of that name.
"""

import socket

import peer
from address import Address
from stream import Stream


class StreamSocket:
    """The second process connects to the first one's path."""

    def __init__(self, both_ways):
        self.address = Address(socket.SOCK_STREAM)

    def open_second(self):
        stream = Stream(self.address.connect())
        return stream, stream

    def open_first(self):
        stream = Stream(self.address.accept())
        return stream, stream


if __name__ == "__main__":
    peer.run(StreamSocket)
