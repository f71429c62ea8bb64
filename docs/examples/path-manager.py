#!/usr/bin/python3
"""A path manager for mptcpd: connections that this host makes get a subflow from every uplink.

Into mptcpd.conf, with the place where this file lies:

    [core]
    path-manager=every-uplink

    [plugin every-uplink]
    exec=/usr/local/libexec/path-manager.py
"""
import itertools
import json
import sys

requests = itertools.count(1)
addresses = {}  # of the interfaces that can be used: index -> list of addresses
waiting = {}  # request -> what was asked for


def send(command, **details):
    request = next(requests)
    waiting[request] = f"{command} {details}"
    print(json.dumps({"command": command, "request": request, **details}), flush=True)


def connection_established(event):
    connection = event["connection"]
    if connection["serverSide"] is not False:
        return
    used = [subflow["local"]["address"] for subflow in connection["subflows"]]
    ipv6 = ":" in connection["remote"]["address"]
    for own in addresses.values():
        fitting = [address for address in own if (":" in address) == ipv6]
        if fitting and not set(own) & set(used):
            send("createSubflow", token=connection["token"], **{"from": fitting[0]})


def new_local_address(event):
    addresses.setdefault(event["interface"]["index"], []).append(event["address"]["address"])


def delete_local_address(event):
    addresses[event["interface"]["index"]].remove(event["address"]["address"])


handlers = {
    "connectionEstablished": connection_established,
    "newLocalAddress": new_local_address,
    "deleteLocalAddress": delete_local_address,
}

for line in sys.stdin:
    message = json.loads(line)
    if "event" in message:
        handlers.get(message["event"], lambda event: None)(message)
    else:
        what = waiting.pop(message["reply"], "?")
        if "error" in message:
            # What is written to standard error goes into mptcpd's log.
            print(f"{what}: {message['error']['message']}", file=sys.stderr, flush=True)
