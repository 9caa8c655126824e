"""As much of curl as the documentation uses, for machines that have none."""

from __future__ import annotations

import argparse
import sys

import httpx


def main() -> int:
    parser = argparse.ArgumentParser(prog="curl", add_help=False)
    parser.add_argument("-sS", dest="silent", action="store_true")
    parser.add_argument("-X", "--request")
    parser.add_argument("-H", "--header", action="append", default=[])
    parser.add_argument("-d", "--data", "--data-binary", dest="data")
    parser.add_argument("url")
    given = parser.parse_args()
    body = sys.stdin.buffer.read() if given.data == "@-" else (given.data or "").encode()
    headers = dict(header.split(": ", 1) for header in given.header)
    method = given.request or ("GET" if given.data is None else "POST")
    try:
        answer = httpx.request(method, given.url, headers=headers, content=body or None, timeout=30)
    except httpx.HTTPError as error:
        sys.stderr.write(f"curl: {error}\n")
        return 7
    sys.stdout.buffer.write(answer.content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
