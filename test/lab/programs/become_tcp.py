"""Sockets that an option, on which programs rely, makes TCP. Writes JSON.

  become_tcp.py changes PROTOCOL     what a socket has after the option, for all that can be set before it
  become_tcp.py works PROTOCOL       whether a port that was bound before does what it should
  become_tcp.py obstacles PROTOCOL   what the program gets where the socket must not change
"""
import errno
import fcntl
import json
import os
import resource
import select
import signal
import socket
import struct
import sys

from options import INET, INET6, IP, IPV6, MPTCP, SOCKET, TCP, get_option, number, protocol_of, set_option

USER_TIMEOUT = (TCP, 18)


def become(one):
    """An option on which programs rely."""
    return set_option(one.fileno(), *USER_TIMEOUT, number(5000))


def facts(one):
    """All that a program can tell of its socket."""
    options = [(SOCKET, n) for n in (1, 2, 5, 6, 7, 8, 9, 12, 13, 15, 18, 20, 21, 29, 35, 36, 37, 46, 49, 62, 63, 64, 69)]
    options += [(IP, n) for n in (1, 2, 15, 19, 24, 51)] + [(IPV6, n) for n in (16, 26, 67, 75, 78)]
    options += [(TCP, n) for n in (1, 2, 3, 4, 5, 6, 9, 12, 13, 18, 23, 25, 30, 34, 36)]
    fd = one.fileno()
    return {
        "options": {f"{level}/{option}": get_option(fd, level, option) for level, option in options},
        "flags": fcntl.fcntl(fd, fcntl.F_GETFL),
        "descriptor": fcntl.fcntl(fd, fcntl.F_GETFD),
        "signal": fcntl.fcntl(fd, 11),
        "owner": fcntl.fcntl(fd, fcntl.F_GETOWN),
    }


def changed(family, protocol, prepare):
    files = os.listdir("/proc/self/fd")
    with socket.socket(family, socket.SOCK_STREAM, protocol) as one:
        prepare(one)
        name = one.getsockname()
        error = become(one)
        result = {"error": error, **facts(one), "same address": one.getsockname() == name, "bound": name[1] != 0}
        result["protocol"] = protocol_of(one.fileno())
    assert os.listdir("/proc/self/fd") == files, "files were left open"
    return result


def with_everything(one):
    for level, option, value in [
        (SOCKET, 2, 1), (SOCKET, 7, 100_000), (SOCKET, 8, 120_000), (SOCKET, 9, 1),
        (SOCKET, 15, 1), (SOCKET, 18, 7), (SOCKET, 35, 1), (SOCKET, 46, 0), (SOCKET, 49, 0),
        (IP, 1, 0x20), (SOCKET, 12, 3), (IP, 2, 42), (IP, 24, 1), (TCP, 1, 1), (TCP, 2, 1000), (TCP, 3, 1),
        (TCP, 4, 77), (TCP, 5, 8), (TCP, 6, 4), (TCP, 9, 3), (TCP, 12, 0), (TCP, 23, 5), (TCP, 25, 9999), (TCP, 36, 1),
    ]:
        one.setsockopt(level, option, value)
    one.setsockopt(IP, 51, struct.pack("I", 50_000 | 51_000 << 16))
    one.setsockopt(SOCKET, 13, struct.pack("ii", 1, 5))
    one.setsockopt(SOCKET, 20, struct.pack("qq", 3, 500_000))
    one.setsockopt(SOCKET, 21, struct.pack("qq", 4, 250_000))
    one.setsockopt(SOCKET, 25, b"lo\0")
    one.setsockopt(TCP, 13, b"reno")
    one.setblocking(False)
    os.set_inheritable(one.fileno(), True)
    fcntl.fcntl(one, fcntl.F_SETOWN, 1)
    fcntl.fcntl(one, 10, 34)


def bound_with(value, host):
    def prepare(one):
        one.setsockopt(SOCKET, socket.SO_REUSEADDR, value)
        one.bind((host, 0))

    return prepare


def v6only(one):
    one.setsockopt(IPV6, 26, 1)
    one.bind(("::", 0))


def without_port(one):
    one.setsockopt(IP, 24, 1)
    one.bind(("127.0.0.1", 0))


CHANGES = {
    "nothing": (INET, lambda one: None),
    "nothing-6": (INET6, lambda one: None),
    "everything": (INET, with_everything),
    "everything-6": (INET6, lambda one: (with_everything(one), one.setsockopt(IPV6, 16, 43), one.setsockopt(IPV6, 67, 32))),
    "bound": (INET, bound_with(0, "127.0.0.1")),
    "bound-reusable": (INET, bound_with(1, "127.0.0.1")),
    "bound-any": (INET, bound_with(0, "")),
    "bound-6": (INET6, bound_with(0, "::1")),
    "bound-6-reusable": (INET6, bound_with(1, "::1")),
    "bound-6-any": (INET6, bound_with(0, "::")),
    "bound-6-only": (INET6, v6only),
    "bound-without-port": (INET, without_port),
}


def works(protocol):
    """A port that was bound before: listens, is taken for others, and connections pass."""
    with socket.socket(INET, socket.SOCK_STREAM, protocol) as listener, socket.socket() as other, socket.socket() as peer:
        listener.bind(("127.0.0.1", 0))
        become(listener)
        listener.listen(1)
        taken = None
        try:
            other.bind(listener.getsockname())
        except OSError as error:
            taken = error.errno
        become(peer)
        peer.connect(listener.getsockname())
        accepted, _ = listener.accept()
        peer.sendall(b"hello")
        with accepted:
            return {"taken": taken == errno.EADDRINUSE, "received": accepted.recv(5).decode(),
                    "protocols": [protocol_of(one.fileno()) for one in (listener, peer, accepted)]}


def stands(prepare, protocol):
    """What stands in the way. Gives what the program gets, and whether the socket is what it was."""
    with socket.socket(proto=protocol) as one:
        kept = prepare(one)
        name, before = one.getsockname(), facts(one)
        error = become(one)
        same = facts(one) == before and one.getsockname() == name
        result = {"error": error, "protocol": protocol_of(one.fileno()), "same": same}
        del kept
        return result


def in_epoll(one):
    poll = select.epoll()
    poll.register(one)
    return poll


def in_epoll_by_former_number(one):
    other = os.dup(one.fileno())
    poll = select.epoll()
    poll.register(other)
    os.close(other)
    return poll


def shared_port(one):
    """Two sockets can have its port, whatever they are about."""
    one.setsockopt(SOCKET, socket.SO_REUSEPORT, 1)


def listening(one):
    shared_port(one)
    one.listen(1)


def connected(one):
    shared_port(one)
    listener = socket.create_server(("127.0.0.1", 0))
    one.connect(listener.getsockname())
    return listener


def ended(one):
    listener = connected(one)
    accepted, _ = listener.accept()
    accepted.close()
    one.recv(1)


def connecting(one):
    # To a neighbour that there is not.
    shared_port(one)
    one.setblocking(False)
    assert one.connect_ex(("192.0.2.1", 9)) == errno.EINPROGRESS


def with_files(count):
    """The program can open so many more."""

    def prepare(one):
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (one.fileno() + 10, limits[1]))
        kept = []
        while True:
            try:
                kept.append(open("/dev/null"))
            except OSError:
                break
        del kept[:count]
        return Undo(lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limits), kept)

    return prepare


class Undo:
    def __init__(self, *keeps):
        self.keeps = keeps

    def __del__(self):
        self.keeps[0]()


def with_signals(one):
    signal.signal(signal.SIGIO, signal.SIG_IGN)
    fcntl.fcntl(one, fcntl.F_SETFL, fcntl.fcntl(one, fcntl.F_GETFL) | os.O_ASYNC)


OBSTACLES = {
    "epoll": in_epoll,
    "epoll-former-number": in_epoll_by_former_number,
    "duplicate": lambda one: one.dup(),
    "listening": listening,
    "connected": connected,
    "ended": ended,
    "connecting": connecting,
    **{f"files-{count}": with_files(count) for count in range(4)},
    "signals": with_signals,
    "asked-for": lambda one: None,
    "none": lambda one: None,
}


def obstacles(protocol):
    return {
        name: stands(prepare, MPTCP if name == "asked-for" else protocol)
        for name, prepare in OBSTACLES.items()
    }


def changes(protocol):
    return {name: changed(family, protocol, prepare) for name, (family, prepare) in CHANGES.items()}


def main(case, protocol):
    return {"changes": changes, "works": works, "obstacles": obstacles}[case](int(protocol))


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
