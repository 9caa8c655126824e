"""Names to addresses, with one slow name server not in the way of other people's names."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import NamedTuple

from signaldesk.channels.outbound.addresses import Address, literal


class Endpoint(NamedTuple):
    """Where a connection goes: an address, never a name."""

    address: Address
    port: int


Resolve = Callable[[str, int], Awaitable[list[Endpoint]]]
"""(host, port) to its endpoints in order of preference. Raises OSError when there are none."""


class SystemResolver:
    """Asks the operating system, in threads of its own.

    `getaddrinfo` cannot be cancelled: a name whose server never answers holds a thread for many seconds. The
    event loop's own pool has a handful of threads, which one tenant's broken name would use up for
    everybody. Here every name holds at most one thread, whoever asks for it and how often.
    """

    def __init__(self, *, threads: int = 100) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="resolve")
        self._asked: dict[tuple[str, int], asyncio.Future[list[Endpoint]]] = {}

    async def __call__(self, host: str, port: int) -> list[Endpoint]:
        if (address := literal(host)) is not None:
            return [Endpoint(address, port)]
        question = (host, port)
        asked = self._asked.get(question)
        if asked is None:
            loop = asyncio.get_running_loop()
            asked = loop.run_in_executor(self._threads, _look_up, host, port)
            self._asked[question] = asked
            asked.add_done_callback(lambda done: self._forget(question, done))
        return await asyncio.shield(asked)

    def close(self) -> None:
        """Let go of the threads; does not wait for name servers that never answer."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _forget(self, question: tuple[str, int], done: asyncio.Future[list[Endpoint]]) -> None:
        self._asked.pop(question, None)
        if not done.cancelled():
            done.exception()  # seen: whoever asked may have given up waiting


def _look_up(host: str, port: int) -> list[Endpoint]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    except UnicodeError as error:  # a label that is empty or longer than 63 bytes
        raise socket.gaierror(socket.EAI_NONAME, "not a host name") from error
    endpoints = [Endpoint(ip_address(str(place[0]).partition("%")[0]), int(place[1])) for *_, place in found]
    return list(dict.fromkeys(endpoints))
