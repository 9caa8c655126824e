"""Receives SignalDesk's webhooks, verifies their signatures, and prints a line for each. Needs Python only.

    python docs/examples/receive_webhooks.py --port 8080 whsec_…

Several secrets may be given: the new one and the one that it replaces.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer

TOLERANCE = 300
"""Seconds that the sender's clock may differ from ours; older requests may be replays by somebody else."""


def genuine(secrets: Sequence[str], headers: Mapping[str, str], body: bytes) -> bool:
    """Whether one of the secrets signed this body, and lately."""
    moment = headers.get("webhook-timestamp", "")
    if not moment.isdigit() or abs(time.time() - int(moment)) > TOLERANCE:
        return False
    signed = f"{headers.get('webhook-id', '')}.{moment}.".encode() + body
    given = headers.get("webhook-signature", "").split()
    return any(hmac.compare_digest(signature(secret, signed), one) for secret in secrets for one in given)


def signature(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


class Hook(BaseHTTPRequestHandler):
    secrets: Sequence[str] = ()
    seen: set[str] = set()  # noqa: RUF012  ids of messages that were handled: a retry has the same one

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        good = genuine(self.secrets, {name.lower(): value for name, value in self.headers.items()}, body)
        self.send_response(204 if good else 401)
        self.end_headers()
        if not good:
            print("refused: not signed by SignalDesk", flush=True)
        elif self.headers["webhook-id"] not in self.seen:
            self.seen.add(self.headers["webhook-id"])
            message = json.loads(body)
            print(f"{message['type']}: {message['data']['summary']}", flush=True)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of each request."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Receive SignalDesk's webhooks and print them.")
    parser.add_argument("secrets", nargs="+", metavar="whsec_…", help="signing secrets of the channel")
    parser.add_argument("--port", type=int, default=8080)
    given = parser.parse_args()
    Hook.secrets = given.secrets
    HTTPServer(("127.0.0.1", given.port), Hook).serve_forever()


if __name__ == "__main__":
    main()
