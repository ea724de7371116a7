"""The Python peer of TCP on the loopback interface: the socket module and 127.0.0.1."""

import socket

import peer
from stream import Stream


def stream(connection):
    # A small message shall not wait for an acknowledgement of the one before it.
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Stream(connection)


class TCP:
    """The second process connects to the first one's port, which the kernel chooses."""

    def __init__(self, both_ways):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1)
        self.address = self.listener.getsockname()

    def open_second(self):
        self.listener.close()  # it is the other process's
        connection = stream(socket.create_connection(self.address))
        return connection, connection

    def open_first(self):
        connection = stream(self.listener.accept()[0])
        self.listener.close()
        return connection, connection


if __name__ == "__main__":
    peer.run(TCP)
