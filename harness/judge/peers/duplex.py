"""The Python peer of the socket pair: multiprocessing.Pipe(), which is no pipe.

With duplex=False it is one: that is the peer of the pipe. Without it, it is two
connected sockets (socketpair(2)).
"""

import multiprocessing
import os
import socket

import peer


class HalfClosing:
    """A Connection that goes both ways, of which close ends one direction.

    A Connection's own close ends both, and then there is no end of file to receive.
    """

    def __init__(self, connection):
        self.connection = connection
        self.send_bytes = connection.send_bytes
        self.recv_bytes = connection.recv_bytes
        self.fileno = connection.fileno

    def close(self):
        with socket.socket(fileno=os.dup(self.fileno())) as copy:
            copy.shutdown(socket.SHUT_WR)


class SocketPair:
    def __init__(self, both_ways):
        self.first, self.second = multiprocessing.Pipe()

    # Each process closes what the other one uses, or the end would not be noticed.

    def open_second(self):
        self.first.close()
        end = HalfClosing(self.second)
        return end, end

    def open_first(self):
        self.second.close()
        end = HalfClosing(self.first)
        return end, end


if __name__ == "__main__":
    peer.run(SocketPair)
