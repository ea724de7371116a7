"""A thousand signals are sent to a process that blocks them. How many does it take?"""

import os
import signal

kinds = {"SIGUSR1": signal.SIGUSR1, "SIGRTMIN+1": signal.SIGRTMIN + 1}
signal.pthread_sigmask(signal.SIG_BLOCK, kinds.values())

for name, number in kinds.items():
    for _ in range(1000):
        os.kill(os.getpid(), number)
    taken = 0
    while signal.sigtimedwait([number], 0):
        taken += 1
    print(f"{name}: sent 1000, taken {taken}")
