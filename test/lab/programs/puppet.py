# A path manager that passes on: lines of the FIFO that it is given first are its commands, and what it is told goes into
# the file that it is given next.
import sys
import threading


def pass_commands():
    while True:
        with open(sys.argv[1]) as commands:
            for line in commands:
                sys.stdout.write(line)
                sys.stdout.flush()


threading.Thread(target=pass_commands, daemon=True).start()
with open(sys.argv[2], "a", buffering=1) as told:
    for line in sys.stdin:
        told.write(line)
