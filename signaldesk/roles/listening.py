"""The address to listen on, taken before anything slow begins."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable

from signaldesk.errors import SignalDeskError

BACKLOG = 2048


class CannotStart(SignalDeskError):
    """A process cannot start for a reason outside itself; the detail says how to mend it."""

    code, title = "cannot_start", "SignalDesk cannot start"


def bind(host: str, port: int) -> tuple[socket.socket, ...]:
    """Sockets that listen on every address of `host`; port 0 picks one for all of them.

    Raises CannotStart, naming who is in the way as far as that can be known.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise CannotStart(f"cannot listen on {host}: {error.strerror}; give another --host") from None
    sockets: list[socket.socket] = []
    for family, _, _, _, address in dict.fromkeys(found):
        try:
            sockets.append(_listen(family, (address[0], port, *address[2:])))
        except OSError as error:
            # `localhost` often names ::1 on machines that have no IPv6.
            if error.errno == errno.EADDRNOTAVAIL and len(found) > 1:
                continue
            for one in sockets:
                one.close()
            raise CannotStart(_reason(error, host, port)) from None
        port = sockets[0].getsockname()[1]
    if not sockets:
        raise CannotStart(_reason(OSError(errno.EADDRNOTAVAIL, ""), host, port))
    return tuple(sockets)


def local_address(listener: socket.socket) -> tuple[str, int]:
    """How this machine itself reaches a listener: the loopback address where it listens on all."""
    host, port = listener.getsockname()[:2]
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port


def addresses(listeners: Iterable[socket.socket]) -> list[str]:
    """Where they listen, for the log."""
    names = (one.getsockname() for one in listeners)
    return [f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}" for name in names]


def _listen(family: socket.AddressFamily, address: tuple[object, ...]) -> socket.socket:
    one = socket.socket(family, socket.SOCK_STREAM)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind(address)
        one.listen(BACKLOG)
    except OSError:
        one.close()
        raise
    one.setblocking(False)
    return one


def _reason(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is taken by another program; stop that, or choose another with --port"
    if error.errno == errno.EACCES:
        return f"port {port} needs rights we do not have; choose one above 1023 with --port"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is no address of this machine; choose another --host"
    return f"cannot listen on {host}:{port}: {error.strerror}; choose another with --host and --port"
