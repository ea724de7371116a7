"""Stage 1: a cook puts dishes on the counter, and a diner takes them. Nobody says when it is
over."""

import kitchen

if __name__ == "__main__":
    counter, eaten = kitchen.Queue(), kitchen.number()
    cook = kitchen.start(kitchen.cook, counter, 4)
    diner = kitchen.start(kitchen.diner, counter, eaten)
    cook.join()
    print("The cook has put 4 dishes on the counter, and has gone home.")

    waiting = kitchen.waiting(diner)
    print(f"The diner has eaten {eaten.value} dishes.")
    if waiting:
        print("The diner waits for another one. Nobody is left who cooks.")
    else:
        print("The diner has gone home.")
    kitchen.end(diner)
