"""Stage 3: the same with two diners. There is still one end marker, and each thing on the
counter is taken by one of them."""

import kitchen


def cook(counter):
    kitchen.cook(counter, 6)
    counter.put(kitchen.CLOSED)


if __name__ == "__main__":
    counter, eaten = kitchen.Queue(), kitchen.number()
    cook = kitchen.start(cook, counter)
    diners = [kitchen.start(kitchen.diner, counter, eaten) for _ in range(2)]
    cook.join()
    print("The cook has put 6 dishes and one end marker on the counter, and has gone home.")

    waiting = kitchen.waiting(*diners)
    print(f"Two diners have eaten {eaten.value} dishes.")
    if waiting == 1:
        print("One of them has gone home. The other one waits. Nobody is left who cooks.")
    else:
        print("Both have gone home.")
    kitchen.end(*diners)
