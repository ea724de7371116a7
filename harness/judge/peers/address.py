"""Two processes that meet at the path of a socket."""

import atexit
import os
import shutil
import socket
import tempfile


class Address:
    """The path lies in a folder of its own, that nobody else may enter."""

    def __init__(self, kind):
        self.kind = kind
        self.folder = tempfile.mkdtemp(prefix="ipc-")  # below TMPDIR
        self.path = os.path.join(self.folder, "s")
        # Only the first process does this, if it ends before accept.
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        self.listener = socket.socket(socket.AF_UNIX, kind)
        self.listener.bind(self.path)
        self.listener.listen(1)

    def connect(self):
        """In the second process. There is room for one that is not accepted yet, so it does not wait."""
        self.listener.close()  # it is the other process's
        connection = socket.socket(socket.AF_UNIX, self.kind)
        connection.connect(self.path)
        return connection

    def accept(self):
        """In the first process, when the second one has connected."""
        connection, _ = self.listener.accept()
        self.listener.close()
        shutil.rmtree(self.folder)  # who is connected needs no path
        return connection
