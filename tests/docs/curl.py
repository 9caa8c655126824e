"""As much of curl as the documentation uses, for machines that have none.

Of the standard library, and run without `site`: it is started dozens of times, and more while waiting.
"""

from __future__ import annotations

import sys
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

USAGE = "curl [-sS] [-X METHOD] [-H HEADER]… [-d DATA | --data-binary DATA] URL"


def main(words: list[str]) -> int:
    given: dict[str, list[str]] = {}
    waiting = iter(words)
    for word in waiting:
        name = {"--data-binary": "-d"}.get(word, word)
        if name in ("-X", "-H", "-d"):
            given.setdefault(name, []).append(next(waiting))
        elif name.startswith("-") and name != "-sS":
            sys.exit(f"curl: {name}: not known here: {USAGE}")
        elif name != "-sS":
            given.setdefault("", []).append(name)
    (url,) = given[""]
    address = urlsplit(url)
    if address.scheme != "http":
        sys.exit(f"curl: {url}: only http is known here")
    (data,) = given.get("-d", [None])
    body = sys.stdin.buffer.read() if data == "@-" else None if data is None else data.encode()
    headers = dict(header.split(": ", 1) for header in given.get("-H", []))
    (method,) = given.get("-X", ["GET" if body is None else "POST"])
    connection = HTTPConnection(address.hostname or "", address.port, timeout=30)
    try:
        connection.request(method, url.partition(address.netloc)[2] or "/", body, headers)
        sys.stdout.buffer.write(connection.getresponse().read())
    except (OSError, HTTPException) as error:
        sys.stderr.write(f"curl: {error}\n")
        return 7
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
