"""The Python peer of the pipe: multiprocessing.Pipe."""

import multiprocessing

import peer


class Pipes:
    """duplex=False makes pipes. Without it Pipe() makes a socket pair."""

    def __init__(self, both_ways):
        self.first_in, self.second_out = multiprocessing.Pipe(duplex=False)
        self.second_in, self.first_out = None, None
        if both_ways:
            self.second_in, self.first_out = multiprocessing.Pipe(duplex=False)

    # Each process closes what the other one uses. A reader comes to the end of
    # file only if nobody has the write end open, itself included.

    def open_second(self):
        self.first_in.close()
        if self.first_out is not None:
            self.first_out.close()
        return self.second_in, self.second_out

    def open_first(self):
        self.second_out.close()
        if self.second_in is not None:
            self.second_in.close()
        return self.first_in, self.first_out


if __name__ == "__main__":
    peer.run(Pipes)
