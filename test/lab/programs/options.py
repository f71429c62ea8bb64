"""What the kernel, or the library in front of it, answers to socket options. Writes JSON.

  options.py rows PROTOCOL LEVEL/NUMBER...            sets and gets each of them on sockets of both families
  options.py refused 0                                the options that TCP takes and MPTCP refuses
  options.py hint|works|changes PROTOCOL              see below; on sockets of that protocol
  options.py obstacles 0
"""
import ctypes
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

INET, INET6 = socket.AF_INET, socket.AF_INET6
TCP, MPTCP = 6, 262
SOCKET, IP, IPV6 = 1, 0, 41
USER_TIMEOUT = (TCP, 18)
UNTOUCHED = 999  # an errno that nothing sets

libc = ctypes.CDLL(None, use_errno=True)


def set_option(fd, level, number, value):
    """0, or the errno; a call that succeeds must leave errno alone."""
    ctypes.set_errno(UNTOUCHED)
    result = libc.setsockopt(fd, level, number, value, len(value))
    return answer(result)


def get_option(fd, level, number, size=64):
    """The value in hexadecimal digits, or the errno."""
    room = ctypes.create_string_buffer(max(size, 1))
    length = ctypes.c_uint(size)
    ctypes.set_errno(UNTOUCHED)
    error = answer(libc.getsockopt(fd, level, number, room, ctypes.byref(length)))
    return error or room.raw[: min(length.value, size)].hex() + f":{length.value}"


def answer(result):
    error = ctypes.get_errno()
    if (result == 0) != (error == UNTOUCHED) or result not in (0, -1):
        raise RuntimeError(f"result {result} with errno {error}")
    return 0 if result == 0 else error


def number(value):
    return struct.pack("i", value)


def protocol_of(fd):
    return struct.unpack("i", bytes.fromhex(get_option(fd, SOCKET, 38, 4).split(":")[0]))[0]


# Numbers, addresses, structures: some row takes each of them.
VALUES = [
    *map(number, [0, 1, 2, 3, 5, 40, 64, 255, 256, 1300, 5000, -1]),
    b"", b"\1", bytes(8), number(1) * 2, bytes(12), bytes(16), bytes(20), bytes(32), b"tls", bytes(216),
    # A TCP_MD5SIG for 127.0.0.1, and for ::1
    struct.pack("HH4s120xBBHi80s", INET, 0, bytes([127, 0, 0, 1]), 0, 0, 3, 0, b"key"),
    struct.pack("HHI16s104xBBHi80s", INET6, 0, 0, bytes(15) + b"\1", 0, 0, 3, 0, b"key"),
]
SIZES = [0, 1, 2, 4, 16, 256]
# A filter that accepts all, for SO_ATTACH_FILTER and SO_ATTACH_REUSEPORT_CBPF
INSTRUCTION = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0xFFFFFFFF))
FILTER = struct.pack("HxxxxxxP", 1, ctypes.addressof(INSTRUCTION))
WITH_FILTER = [(SOCKET, 26), (SOCKET, 51)]
# Those of a descriptor: one of another kind, and two that are not there
WITH_DESCRIPTOR = [(SOCKET, 50), (SOCKET, 52)]
DESCRIPTORS = list(map(number, [0, -1, 5000]))


def values_of(level, option):
    if (level, option) in WITH_DESCRIPTOR:
        return DESCRIPTORS
    return [FILTER] if (level, option) in WITH_FILTER else VALUES


def tried(family, protocol, level, option, value):
    with socket.socket(family, socket.SOCK_STREAM, protocol) as one:
        fd = one.fileno()
        # Its length would be counted in instructions.
        read = (lambda: "") if (level, option) == (SOCKET, 26) else (lambda: get_option(fd, level, option))
        before = read()
        error = set_option(fd, level, option, value)
        name = "a filter" if value is FILTER else value.hex()
        return {"value": name, "before": before, "error": error, "after": read(), "protocol": protocol_of(fd)}


def read(family, protocol, level, option, size):
    with socket.socket(family, socket.SOCK_STREAM, protocol) as one:
        return get_option(one.fileno(), level, option, size)


def rows(protocol, words):
    options = [tuple(map(int, word.split("/"))) for word in words]
    files = os.listdir("/proc/self/fd")
    result = [
        {
            "family": family,
            "level": level,
            "number": option,
            "sets": [
                tried(family, protocol, level, option, value)
                for value in values_of(level, option)
            ],
            "gets": [read(family, protocol, level, option, size) for size in SIZES],
        }
        for family in (INET, INET6)
        for level, option in options
    ]
    assert os.listdir("/proc/self/fd") == files, "files were left open"
    return result


REFUSALS = (errno.ENOPROTOOPT, errno.EOPNOTSUPP)


def is_refused(family, level, option):
    """Whether MPTCP refuses what TCP takes, for any value or size."""
    with socket.socket(family, socket.SOCK_STREAM, MPTCP) as one:
        for value in VALUES:
            if set_option(one.fileno(), level, option, value) in REFUSALS:
                if tried(family, TCP, level, option, value)["error"] == 0:
                    return True
        for size in SIZES:
            if get_option(one.fileno(), level, option, size) in REFUSALS:
                if isinstance(read(family, TCP, level, option, size), str):
                    return True
    return False


def refused():
    """Pairs of level and number. The kernel's highest numbers are below 100."""
    levels, numbers = (SOCKET, IP, IPV6, TCP), range(128)
    return [
        (level, option)
        for level in levels
        for option in numbers
        if any(is_refused(family, level, option) for family in (INET, INET6))
    ]


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


def connected(one):
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
    one.setblocking(False)
    assert one.connect_ex(("192.0.2.1", 9)) == errno.EINPROGRESS


def without_files(one):
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (one.fileno() + 1, limits[1]))
    kept = []
    while True:
        try:
            kept.append(open("/dev/null"))
        except OSError:
            break
    return Undo(lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limits), kept)


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
    "listening": lambda one: one.listen(1),
    "connected": connected,
    "ended": ended,
    "connecting": connecting,
    "no-files": without_files,
    "signals": with_signals,
    "asked-for": lambda one: None,
    "none": lambda one: None,
}


def hint(protocol):
    """TTL and traffic class, as programs set them; then what a socket of the same number has."""
    results = []
    for family, level, option in [(INET, IP, 2), (INET6, IPV6, 16), (INET6, IPV6, 67)]:
        with socket.socket(family, socket.SOCK_STREAM, protocol) as one:
            default = get_option(one.fileno(), level, option)
            errors = [set_option(one.fileno(), level, option, number(value)) for value in (60, 44, -1, 4000)]
            results += [default, errors, get_option(one.fileno(), level, option), protocol_of(one.fileno())]
        with socket.socket(family, socket.SOCK_STREAM, protocol) as one:
            results.append(get_option(one.fileno(), level, option) == default)
    return results


def main(case, protocol, *words):
    protocol = int(protocol)
    if case == "rows":
        return rows(protocol, words)
    if case == "refused":
        return refused()
    if case == "works":
        return works(protocol)
    if case == "hint":
        return hint(protocol)
    if case == "obstacles":
        return {name: stands(prepare, MPTCP if name == "asked-for" else 0) for name, prepare in OBSTACLES.items()}
    if case == "changes":
        return {name: changed(family, protocol, prepare) for name, (family, prepare) in CHANGES.items()}
    raise ValueError(case)


print(json.dumps(main(*sys.argv[1:])))
