"""Three packets are sent, and one of them is empty. Then the sender closes."""

import socket

a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
for packet in b"one", b"", b"three":
    a.send(packet)
a.close()
while packet := b.recv(100):  # until the end
    print("got", packet)
print("That was the end. And what is this?")
for _ in range(3):
    print("got", b.recv(100))
