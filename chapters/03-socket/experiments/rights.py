"""An open file travels to another process."""

import os
import socket
import tempfile

ours, theirs = socket.socketpair()
if os.fork() == 0:  # the sender
    fd, path = tempfile.mkstemp()
    os.write(fd, b"helloworld")
    os.lseek(fd, 0, os.SEEK_SET)
    socket.send_fds(theirs, [b"a file"], [fd])
    os.unlink(path)
    os._exit(0)

os.wait()
print("The sender has ended, and the file's name is gone.")
message, (fd,), _, _ = socket.recv_fds(ours, 100, 1)
print(f"The receiver gets {message} and a descriptor.")
print("  names that the file has:  ", os.fstat(fd).st_nlink)
print("  the first five bytes:     ", os.read(fd, 5))
print("  close-on-exec is set:     ", not os.get_inheritable(fd))
