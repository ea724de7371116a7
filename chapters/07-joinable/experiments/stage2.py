"""Stage 2: an end marker. When all is cooked, one more thing comes to the counter: the kitchen
is closed."""

import kitchen


def cook(counter):
    kitchen.cook(counter, 4)
    counter.put(kitchen.CLOSED)


if __name__ == "__main__":
    counter, eaten = kitchen.Queue(), kitchen.number()
    cook = kitchen.start(cook, counter)
    diner = kitchen.start(kitchen.diner, counter, eaten)
    cook.join()
    print("The cook has put 4 dishes and the end marker on the counter, and has gone home.")

    waiting = kitchen.waiting(diner)
    print(f"The diner has eaten {eaten.value} dishes.")
    if waiting:
        print("The diner waits for another one. Nobody is left who cooks.")
    else:
        print("The diner has gone home.")
    kitchen.end(diner)
