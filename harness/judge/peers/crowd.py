"""What a Python peer needs for a crowd: two processes put, three take, and the first one waits
until all is done.

Who puts sends every second message. Who takes has to get those of each in their order, and tells
at the end how often it had each. run calls new_queue() for what all share, and End(queue) in
each process, for an object with send_bytes and recv_bytes. The queue has join and put: None is
the end for one who takes.
"""

import multiprocessing
import os
import struct
import sys
import time

import peer

PUTTERS, TAKERS = 2, 3


def begin(control):
    peer.end_with_first()
    if os.environ.get("IPC_CORE"):  # see doc.go
        os.sched_setaffinity(0, {int(os.environ["IPC_CORE"])})
    control.send("ready")


def put(queue, end, control, first, size, count):
    try:
        begin(control)
        outgoing = end(queue)
        message = peer.new_message(size)
        for _ in range(2):
            control.recv()  # go
            for number in range(first, count, PUTTERS):
                peer.set_number(message, number)
                outgoing.send_bytes(message)
            control.send("put")
        control.recv()  # all is over
    except (OSError, EOFError) as error:
        sys.exit(peer.sentence(error))


def take(queue, end, control, size, count):
    try:
        begin(control)
        control.send(take_all(end(queue), size, count))
        control.recv()  # all is over
    except (OSError, EOFError, peer.Wrong) as error:
        sys.exit(peer.sentence(error))


def take_all(incoming, size, count):
    times, want = bytearray(count), peer.new_message(size)
    last, turn = [-1] * PUTTERS, [0] * PUTTERS
    while True:
        try:
            message = incoming.recv_bytes()
        except EOFError:
            return bytes(times)
        if len(message) != size:
            raise peer.Wrong(f"received {len(message)} bytes instead of {size}")
        (number,) = struct.unpack_from(">Q", message)
        peer.set_number(want, number)
        if number >= count or message != want:
            raise peer.Wrong(f"received a message that nobody has put: {message[:16].hex()}")
        of = number % PUTTERS
        if number <= last[of]:
            turn[of] += 1
            if turn[of] == 2:
                raise peer.Wrong(f"message {number} came after message {last[of]} of the same process")
        last[of] = number
        times[number] += 1


def start(work, queue, end, *args):
    control, other = multiprocessing.Pipe()
    multiprocessing.Process(target=work, args=(queue, end, other, *args), daemon=True).start()
    return control


def hear(controls):
    return [control.recv() for control in controls]


def first_process(new_queue, end, size, count):
    begun = time.monotonic()
    queue = new_queue()
    taking = [start(take, queue, end, size, count) for _ in range(TAKERS)]
    putting = [start(put, queue, end, i, size, count) for i in range(PUTTERS)]
    peer.end_with_children()
    hear(taking + putting)
    started = time.monotonic() - begun

    def turn():
        go = time.monotonic()
        for control in putting:
            control.send("go")
        hear(putting)
        queue.join()
        return time.monotonic() - go

    turn()  # warms up
    seconds = turn()
    for _ in taking:
        queue.put(None)
    times_of_each = hear(taking)
    peer.over.set()
    for control in taking + putting:
        control.send("over")
    for number, times in enumerate(zip(*times_of_each)):
        if sum(times) != 2:
            raise peer.Wrong(f"message {number} was put twice, and was taken {sum(times)} times")
    print(f'{{"messages":{count},"seconds":{seconds:.9f},"whole":{started + seconds:.9f}}}', flush=True)


def run(new_queue, end):
    """Does what the command line says and ends the process."""
    try:
        size, count = int(sys.argv[2]), int(sys.argv[3])
        ok = len(sys.argv) == 4 and 8 <= size < 2**31 and 0 < count < 2**63
    except (IndexError, ValueError):
        ok = False
    if not ok:
        print(f"usage: {sys.argv[0]} crowd SIZE COUNT", file=sys.stderr)
        sys.exit(2)
    try:
        first_process(new_queue, end, size, count)
    except (OSError, EOFError, peer.Wrong) as error:
        peer.over.set()
        sys.exit(peer.sentence(error))
    sys.exit(0)
