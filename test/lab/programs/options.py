"""What the kernel, or the library in front of it, answers to socket options. Writes JSON.

  options.py rows PROTOCOL LEVEL/NUMBER...            sets and gets each of them on sockets of both families
  options.py refused 0                                the options that TCP takes and MPTCP refuses
  options.py states PROTOCOL                          sets all options to 1 on sockets in all states
  options.py full PROTOCOL                            sets and gets a hint where no file can be opened any more
  options.py hint PROTOCOL                            sets and gets what programs set most, on sockets of that protocol
"""
import ctypes
import errno
import json
import os
import resource
import socket
import struct
import sys

INET, INET6 = socket.AF_INET, socket.AF_INET6
TCP, MPTCP = 6, 262
SOCKET, IP, IPV6 = 1, 0, 41
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


def in_state(state, family, protocol):
    """A socket, and others that have to stay open for it."""
    address = "127.0.0.1" if family == INET else "::1"
    listener = socket.socket(family, socket.SOCK_STREAM, protocol)
    listener.bind((address, 0))
    if state == "bound":
        return listener, []
    listener.listen()
    if state == "listening":
        return listener, []
    one = socket.socket(family, socket.SOCK_STREAM, protocol)
    if state == "connecting":
        one.setblocking(False)
        # Nobody answers there.
        one.connect_ex(("192.0.2.9", 80) if family == INET else ("2001:db8::9", 80))
    elif state != "new":
        one.connect(listener.getsockname())
        if state == "accepted":
            return listener.accept()[0], [listener, one]
        if state == "ended":
            one.shutdown(socket.SHUT_RDWR)
    return one, [listener]


def in_all(state, protocol):
    results = {}
    for level, family in [(SOCKET, INET), (IP, INET), (TCP, INET), (IPV6, INET6)]:
        for option in range(1, 100):
            # TCP_REPAIR makes it another socket.
            if (level, option) != (TCP, 19):
                one, others = in_state(state, family, protocol)
                results[f"{level}/{option}"] = set_option(one.fileno(), level, option, number(1))
                for each in [one, *others]:
                    each.close()
    return results


def states(protocol):
    names = ["new", "bound", "listening", "connecting", "connected", "accepted", "ended"]
    return {state: in_all(state, protocol) for state in names}


def full(protocol):
    with socket.socket(INET, socket.SOCK_STREAM, protocol) as one:
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
        error = set_option(one.fileno(), IP, 2, number(60))
        result = [error, get_option(one.fileno(), IP, 2), set_option(one.fileno(), IP, 2, number(1))]
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        return [*result, get_option(one.fileno(), IP, 2)]


def main(case, protocol, *words):
    if case == "rows":
        return rows(int(protocol), words)
    return {"refused": lambda _: refused(), "hint": hint, "states": states, "full": full}[case](int(protocol))


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
