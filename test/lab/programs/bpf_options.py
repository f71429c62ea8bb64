"""Sockets whose options a BPF program of the cgroup answers for. Writes JSON: facts by name.

  bpf_options.py PROTOCOL

PROTOCOL is what the sockets are made with.
"""
import json
import socket
import sys

from options import get_option

IP, TCP_LEVEL = 0, 6
IP_TTL, TCP_LINGER2, IP_RECVTTL = 2, 8, 12


def answer(call, *arguments):
    try:
        return call(*arguments)
    except OSError as error:
        return f"errno {error.errno}"


def made(protocol, kind=socket.SOCK_STREAM):
    return socket.socket(socket.AF_INET, kind, protocol)


def inherited(protocol):
    """What a connection has from its listener, and what it has of its own then."""
    with made(protocol) as listener, made(protocol) as client:
        listener.setsockopt(IP, IP_TTL, 33)
        listener.setsockopt(TCP_LEVEL, TCP_LINGER2, 7)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        client.connect(listener.getsockname())
        with listener.accept()[0] as connection:
            first = [one.getsockopt(IP, IP_TTL) for one in (listener, client, connection)]
            connection.setsockopt(IP, IP_TTL, 44)
            later = [one.getsockopt(IP, IP_TTL) for one in (listener, client, connection)]
            return [first, later, connection.getsockopt(TCP_LEVEL, TCP_LINGER2)]


def forgotten(protocol):
    """What a socket has after another that was set."""
    for _ in range(100):
        with made(protocol) as one:
            one.setsockopt(IP, IP_TTL, 50)
    with made(protocol) as one:
        return one.getsockopt(IP, IP_TTL)


def large(protocol):
    """Values and rooms that are larger than a page."""
    value = (1).to_bytes(4, "little") + bytes(9000)
    with made(protocol) as one:
        return [
            answer(one.setsockopt, socket.SOL_SOCKET, socket.SO_REUSEADDR, value),
            get_option(one.fileno(), socket.SOL_SOCKET, socket.SO_REUSEADDR, 9000),
            answer(one.setsockopt, IP, IP_TTL, (60).to_bytes(4, "little") + bytes(9000)),
            get_option(one.fileno(), IP, IP_TTL, 9000),
        ]


def datagrams(_):
    with made(0, socket.SOCK_DGRAM) as one:
        before = one.getsockopt(IP, IP_RECVTTL)
        one.setsockopt(IP, IP_RECVTTL, 1)
        return [before, one.getsockopt(IP, IP_RECVTTL), answer(one.setsockopt, IP, IP_TTL, 1)]


def ends(protocol):
    """Values that mean something."""
    results = []
    for value in (1, 255, 64, 300, -1):
        with made(protocol) as one:
            results.append([answer(one.setsockopt, IP, IP_TTL, value), answer(one.getsockopt, IP, IP_TTL)])
    return results


CASES = [inherited, forgotten, large, datagrams, ends]

if __name__ == "__main__":
    print(json.dumps({case.__name__: answer(case, int(sys.argv[1])) for case in CASES}))
