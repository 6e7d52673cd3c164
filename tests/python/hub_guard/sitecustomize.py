"""Keeps Python's sockets on loopback and notes who wanted elsewhere, in the file HUB_GUARD_NOTES.

Python imports it at start when its directory is on PYTHONPATH, in programs that it starts too.
"""

import ipaddress
import os
import sys

LOCAL = {None, "", "localhost", b"localhost"}
# What datasets 3.6 makes of the address that it was given; nothing resolves it, and it goes on without.
MADE_UP = "datasets-server.127.0.0.1"


def is_local(host) -> bool:
    if host in LOCAL:
        return True
    try:
        text = host.decode() if isinstance(host, bytes) else str(host)
        return ipaddress.ip_address(text.split("%")[0]).is_loopback
    except ValueError:
        return False


def guard(event: str, args: tuple) -> None:
    if event == "socket.connect" and isinstance(args[1], tuple):
        host = args[1][0]
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = args[0]
    else:
        return
    if not is_local(host):
        if host != MADE_UP:
            with open(os.environ["HUB_GUARD_NOTES"], "a") as notes:
                notes.write(f"{event} {host!r} {sys.argv}\n")
        raise ConnectionRefusedError(f"{host!r} is not this machine")


if "HUB_GUARD_NOTES" in os.environ:
    sys.addaudithook(guard)
