"""Two messages are sent. What does a receiver get, with much room and with little?"""

import socket

for kind in socket.SOCK_STREAM, socket.SOCK_SEQPACKET:
    for room in 100, 3:
        a, b = socket.socketpair(socket.AF_UNIX, kind)
        a.send(b"hello")
        a.send(b"world")
        a.close()
        print(f"{kind.name}, room for {room}:")
        while got := b.recv(room):
            print("  got", got)
