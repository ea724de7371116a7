"""A process puts one item into a Queue, and ends. Its parent waits for its end first, and
takes the item then. For which sizes does that work?"""

import kitchen


def put(queue, size):
    queue.put(bytes(size))


if __name__ == "__main__":
    for size in (1_000, 60_000, 70_000):
        queue = kitchen.Queue()
        process = kitchen.start(put, queue, size)
        if kitchen.waiting(process):
            queue.get()
            process.join()
            print(f"{size} bytes: it waits, and ends when the item was taken")
        else:
            print(f"{size} bytes: it ends")
