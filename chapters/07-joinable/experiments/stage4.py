"""Stage 4: two cooks, and two diners. There is an end marker for each diner now. But the quick
cook puts them there when its own dishes are done, and the slow cook has not even begun."""

import queue

import kitchen


def quick_cook(counter):
    kitchen.cook(counter, 3)
    for _ in range(2):
        counter.put(kitchen.CLOSED)


def slow_cook(counter, nobody_is_left):
    nobody_is_left.wait()  # it is that slow
    kitchen.cook(counter, 3)


if __name__ == "__main__":
    counter, eaten, nobody_is_left = kitchen.Queue(), kitchen.number(), kitchen.Event()
    quick = kitchen.start(quick_cook, counter)
    slow = kitchen.start(slow_cook, counter, nobody_is_left)
    diners = [kitchen.start(kitchen.diner, counter, eaten) for _ in range(2)]
    quick.join()
    print("The quick cook has put 3 dishes and two end markers there, and has gone home.")

    for diner in diners:
        diner.join()
    print(f"Two diners have eaten {eaten.value} dishes, and have gone home.")
    nobody_is_left.set()
    slow.join()
    print("The slow cook has put 3 dishes there, and has gone home.")

    cold = 0
    try:
        while counter.get(block=False):
            cold += 1
    except queue.Empty:
        pass
    print(f"{cold} dishes are on the counter. Nobody is left who eats.")
