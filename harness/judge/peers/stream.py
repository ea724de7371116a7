"""Messages over a stream socket, with Python's socket module.

A stream knows no messages. So each one is sent as a frame: its length as four
bytes, the most significant first, and then the message.
"""

import socket
import struct

from peer import Wrong

HEADER = struct.Struct(">I")


class Stream:
    """A connected stream socket that goes both ways."""

    def __init__(self, connection):
        self.connection = connection
        # makefile reads ahead: many small messages cost one system call.
        self.incoming = connection.makefile("rb", buffering=64 * 1024)

    def fileno(self):
        return self.connection.fileno()

    def send_bytes(self, message):
        self.connection.sendall(HEADER.pack(len(message)) + message)

    def recv_bytes(self):
        header = self.incoming.read(HEADER.size)
        if not header:
            raise EOFError
        if len(header) < HEADER.size:
            raise Wrong("end of file in the middle of a header")
        (size,) = HEADER.unpack(header)
        message = self.incoming.read(size)
        if len(message) < size:
            raise Wrong("end of file in the middle of a message")
        return message

    def close(self):
        """Only this direction ends. In the other one there is the end of file to receive."""
        self.connection.shutdown(socket.SHUT_WR)
