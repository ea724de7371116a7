"""The Python peer of the packet socket: the socket module, AF_UNIX and SOCK_SEQPACKET.

It keeps the boundaries of messages, so there is no frame.
"""

import socket

import peer
from address import Address

# There has to be room for the largest message before it is known how large it is.
ROOM = 256 * 1024


class Packets:
    """A connected packet socket that goes both ways."""

    def __init__(self, connection):
        self.connection = connection
        self.room = bytearray(ROOM)
        self.view = memoryview(self.room)

    def send_bytes(self, message):
        self.connection.send(message)

    def recv_bytes(self):
        size = self.connection.recv_into(self.room)
        if size == 0:  # a packet without bytes cannot be told from the end
            raise EOFError
        return bytes(self.view[:size])

    def close(self):
        """Only this direction ends. In the other one there is the end of file to receive."""
        self.connection.shutdown(socket.SHUT_WR)


class PacketSocket:
    """The second process connects to the first one's path."""

    def __init__(self, both_ways):
        self.address = Address(socket.SOCK_SEQPACKET)

    def open_second(self):
        packets = Packets(self.address.connect())
        return packets, packets

    def open_first(self):
        packets = Packets(self.address.accept())
        return packets, packets


if __name__ == "__main__":
    peer.run(PacketSocket)
