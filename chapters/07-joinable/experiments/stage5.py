"""Stage 5: no markers. The counter counts: each dish that is put is one more, each one that was
eaten is one less, and join waits for zero. The diners are daemons, whom nobody has to send home.
One of them is killed with the last dish in its hands."""

import os
import signal

import kitchen


def diner(counter, eaten):
    while True:
        dish = counter.get()
        if dish == "dish 3":
            os.kill(os.getpid(), signal.SIGKILL)
        kitchen.add(eaten)
        counter.task_done()


def host(counter):
    """Waits until all has been eaten."""
    counter.join()


if __name__ == "__main__":
    counter, eaten = kitchen.JoinableQueue(), kitchen.number()
    cook = kitchen.start(kitchen.cook, counter, 4)
    cook.join()
    print("The cook has put 4 dishes on the counter, and has gone home.")
    diners = [kitchen.start(diner, counter, eaten, daemon=True) for _ in range(2)]
    host = kitchen.start(host, counter)

    waiting = kitchen.waiting(host, *diners)
    print(f"Two diners have eaten {eaten.value} dishes. One was killed with a dish in its hands.")
    if waiting == 2:
        print("The other one waits for a dish. The host waits in join: one dish was never done.")
    else:
        print("The host has gone home.")
    kitchen.end(host)
    # The diner that lives is a daemon: it ends when this process does.
