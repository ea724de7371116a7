"""What all Python peers share: the command line, the clock, the messages, the two
processes. doc.go tells what a peer does.

A peer is a module with a class that says how the two processes are connected. It
calls run(Class). The first process is the one that was started from the command
line. It receives, checks and measures. The second one is a
multiprocessing.Process.

An object of the class is made in the first process and passed to the second one:

    Class(both_ways)    before the second process is started. Both ways is for
                        ping-pong: messages go to the second process, too.
    open_second()       in the second process, when it starts
    open_first()        in the first process, when open_second has returned

The last two return (incoming, outgoing), what this process receives from and
sends to: objects with recv_bytes, send_bytes and close. One of the two may be
None.

    settle()            if it is there and not None: in the second process, when
                        a transfer's last message was sent. The time counts until
                        it has returned.
"""

import multiprocessing
import multiprocessing.connection
import os
import struct
import sys
import threading
import time


class Wrong(Exception):
    """What was received is not what was sent. The text says what is wrong."""


# The messages.


def new_message(size):
    """Makes a message in which only the number is missing."""
    return bytearray(j % 251 for j in range(size))


def set_number(message, number):
    if len(message) >= 8:
        struct.pack_into(">Q", message, 0, number)
    else:
        message[:] = bytes([number % 256]) * len(message)


def receive_and_check(incoming, want, number):
    """Receives one message and checks all of it."""
    set_number(want, number)
    try:
        message = incoming.recv_bytes()
    except EOFError:
        raise Wrong(f"message {number}: end of file instead") from None
    if message == want:
        return
    if len(message) != len(want):
        raise Wrong(f"message {number}: received {len(message)} bytes instead of {len(want)}")
    j = next(j for j in range(len(want)) if message[j] != want[j])
    raise Wrong(f"message {number}: byte {j} is {message[j]} instead of {want[j]}")


# The second process.


def produce(outgoing, size, count):
    message = new_message(size)
    for i in range(count):
        set_number(message, i)
        outgoing.send_bytes(message)


def send_back(incoming, outgoing):
    while True:
        try:
            message = incoming.recv_bytes()
        except EOFError:
            return
        outgoing.send_bytes(message)


def second_process(mechanism, control, other_control, benchmark, size, count):
    """Runs in the second process.

    control is a Connection for what is not measured: "ready" and "go". Where the
    process was forked it has the other end of it too. That must be closed, or
    the end of the first process would not be noticed.
    """
    try:
        other_control.close()
        if os.environ.get("IPC_CORE"):  # see doc.go
            os.sched_setaffinity(0, {int(os.environ["IPC_CORE"])})
        incoming, outgoing = mechanism.open_second()
        settle = getattr(mechanism, "settle", None)
        control.send("ready")
        if benchmark == "transfer":
            for _ in range(2):
                control.recv()  # go
                produce(outgoing, size, count)
                if settle is not None:
                    settle()
                    control.send("settled")
        else:
            control.recv()
            send_back(incoming, outgoing)
        outgoing.close()
    except (OSError, EOFError) as error:
        sys.exit(sentence(error))


def end_with_first():
    """Ends this process when the first one has ended, however it did.

    For a mechanism whose writer does not notice that nobody reads any more: a file
    takes all that is written to it.
    """

    def watch():
        multiprocessing.connection.wait([multiprocessing.parent_process().sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


# The first process.


# Set when another process may end, and this one lives on: see end_with_children.
over = threading.Event()


def end_with_children():
    """Ends this process when a child of it ends before all is over: killed, it may have kept a lock.

    For a mechanism that tells nobody that the other process is gone. It does not ask how the
    child ended: two threads must not do that.
    """
    sentinels = [child.sentinel for child in multiprocessing.active_children()]

    def watch():
        multiprocessing.connection.wait(sentinels)
        if not over.is_set():
            print("the second process has ended too early", file=sys.stderr, flush=True)
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def first_process(new_mechanism, benchmark, size, count):
    pingpong = benchmark == "pingpong"
    want = new_message(size)
    out = new_message(size)

    def turn():
        """All messages once. Returns how long that took."""
        go = time.monotonic()
        if not pingpong:
            control.send("go")
        for i in range(count):
            if pingpong:
                set_number(out, i)
                outgoing.send_bytes(out)
            receive_and_check(incoming, want, i)
        if not pingpong and settles:
            control.recv()  # settled
        return time.monotonic() - go

    begin = time.monotonic()
    mechanism = new_mechanism(pingpong)
    settles = getattr(mechanism, "settle", None) is not None
    control, other_control = multiprocessing.Pipe()
    second = multiprocessing.Process(
        target=second_process,
        args=(mechanism, other_control, control, benchmark, size, count),
        daemon=True,  # it is stopped if this process ends with an error
    )
    second.start()
    other_control.close()
    control.recv()
    incoming, outgoing = mechanism.open_first()
    started = time.monotonic() - begin
    if pingpong:
        control.send("go")  # once

    turn()  # warms up
    seconds = turn()

    if pingpong:
        outgoing.close()
    expect_end(incoming, second)
    print(f'{{"messages":{count},"seconds":{seconds:.9f},"whole":{started + seconds:.9f}}}', flush=True)


def expect_end(incoming, second):
    try:
        message = incoming.recv_bytes()
    except EOFError:
        pass
    else:
        raise Wrong(f"received {len(message)} bytes more after the last message")
    second.join()
    if second.exitcode != 0:
        raise Wrong(f"the second process ended with status {second.exitcode}")


def sentence(error):
    """Says which call failed, and why."""
    program = os.path.basename(sys.argv[0])
    if isinstance(error, Wrong):
        return f"{program}: {error}"
    call = error.__traceback__
    while call.tb_next is not None:
        call = call.tb_next
    what = str(error) or "the other process has ended too early"
    return f"{program}: {call.tb_frame.f_code.co_name}: {what}"


# The command line.


def run(new_mechanism):
    """Does what the command line says and ends the process."""
    try:
        benchmark, size, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
        ok = len(sys.argv) == 4 and benchmark in ("transfer", "pingpong")
        ok = ok and 0 < size < 2**31 and 0 < count < 2**63
    except (IndexError, ValueError):
        ok = False
    if not ok:
        print(f"usage: {sys.argv[0]} transfer|pingpong SIZE COUNT", file=sys.stderr)
        sys.exit(2)
    try:
        first_process(new_mechanism, benchmark, size, count)
    except (OSError, EOFError, Wrong) as error:
        over.set()
        sys.exit(sentence(error))
