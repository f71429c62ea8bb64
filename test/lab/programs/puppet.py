# A path manager that passes on: lines of the FIFO that it is given first are its commands, and what it is told goes into
# the file that it is given next.
import os
import sys
import threading


def pass_commands():
    # Open for writing as well: the end of one writer is not the end, which the next could run into.
    with os.fdopen(os.open(sys.argv[1], os.O_RDWR)) as commands:
        for line in commands:
            sys.stdout.write(line)
            sys.stdout.flush()


threading.Thread(target=pass_commands, daemon=True).start()
with open(sys.argv[2], "a", buffering=1) as told:
    for line in sys.stdin:
        told.write(line)
