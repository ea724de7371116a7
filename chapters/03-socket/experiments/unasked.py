"""Four descriptors are sent to somebody who has not asked for them. How many stay?"""

import array
import os
import socket

INT = array.array("i").itemsize  # a descriptor has so many bytes
a, b = socket.socketpair()


def four_come(how, receive):
    before = set(os.listdir("/proc/self/fd"))
    a.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 0, 0, 0]))])
    flags = receive()
    more = len(set(os.listdir("/proc/self/fd")) - before)
    print(f"{how}: {more} more are open" + (", and MSG_CTRUNC is set" if flags & socket.MSG_CTRUNC else ""))


four_come("recv", lambda: b.recv(1) and 0)
four_come("recvmsg, no room", lambda: b.recvmsg(1)[2])
four_come("recvmsg, CMSG_LEN of one", lambda: b.recvmsg(1, socket.CMSG_LEN(INT))[2])
four_come("recvmsg, CMSG_SPACE of one", lambda: b.recvmsg(1, socket.CMSG_SPACE(INT))[2])
four_come("recvmsg, CMSG_SPACE of four", lambda: b.recvmsg(1, socket.CMSG_SPACE(4 * INT))[2])
