"""A child has ended, and nobody has waited for it. What does kill(2) say? And a pidfd?"""

import os
import select
import signal

child = os.fork()
if child == 0:
    os._exit(0)
pidfd = os.pidfd_open(child)
poll = select.poll()
poll.register(pidfd, select.POLLIN)
print("the pidfd is readable:", poll.poll() != [])
os.kill(child, signal.SIGTERM)
print("kill(2) of the zombie: done")
os.waitpid(child, 0)
for what, send in [("kill(2)", lambda: os.kill(child, signal.SIGTERM)), ("the pidfd", lambda: signal.pidfd_send_signal(pidfd, signal.SIGTERM))]:
    try:
        send()
        print(f"{what}, when it was waited for: done")
    except OSError as error:
        print(f"{what}, when it was waited for: {error.strerror}")
