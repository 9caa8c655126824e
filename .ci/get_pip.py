"""Puts pip into a virtual environment that was made without it, with nothing but the standard library.

    .venv/bin/python .ci/get_pip.py

Debian ships Python without `ensurepip` (it is in the package python3-venv), so `python3 -m venv` fails on a
fresh machine. Instead of asking for a system package, this takes pip's own wheel from the package index that
pip would use (PIP_INDEX_URL, pip.conf, else pypi.org), checks its hash, and lets it install itself.
"""

import configparser
import hashlib
import html
import os
import re
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urldefrag, urljoin, urlsplit
from urllib.request import urlopen

PLACES = ("~/.config/pip/pip.conf", "~/.pip/pip.conf", "/etc/pip.conf")
LINK = re.compile(r'<a\s[^>]*?href="(?P<href>[^"]+)"[^>]*>', re.IGNORECASE)
WHEEL = re.compile(r"/pip-(?P<version>\d+(\.\d+)*)-py3-none-any\.whl$")


def setting(name: str, default: str | None = None) -> str | None:
    """What pip's own environment or configuration says."""
    config = configparser.ConfigParser(interpolation=None)
    config.read([os.environ.get("PIP_CONFIG_FILE") or Path(place).expanduser() for place in reversed(PLACES)])
    there = os.environ.get(f"PIP_{name.upper().replace('-', '_')}")
    return there or config.get("global", name, fallback=default)


def newest_wheel(page: str, base: str) -> tuple[str, str]:
    """URL and SHA-256 of the newest wheel of pip on an index page."""
    found = []
    for link in LINK.finditer(page):
        url, fragment = urldefrag(urljoin(base, html.unescape(link["href"])))
        wheel = WHEEL.search(urlsplit(url).path)
        if wheel and fragment.startswith("sha256=") and "data-yanked" not in link[0]:
            version = tuple(map(int, wheel["version"].split(".")))
            found.append((version, url, fragment.removeprefix("sha256=")))
    if not found:
        sys.exit(f"There is no pip to be found at {base}.")
    _, url, digest = max(found)
    return url, digest


def read(url: str) -> bytes:
    if urlsplit(url).scheme not in ("https", "http"):
        sys.exit(f"Cannot read {url}: the address of a package index begins with https://.")
    context = ssl.create_default_context(cafile=setting("cert"))
    with urlopen(url, timeout=60, context=context) as answer:  # noqa: S310  the scheme was looked at
        return bytes(answer.read())


def main() -> None:
    index = str(setting("index-url", "https://pypi.org/simple")).rstrip("/") + "/pip/"
    try:
        url, digest = newest_wheel(read(index).decode(), index)
        wheel = read(url)
    except OSError as error:
        host = urlsplit(index).hostname
        sys.exit(
            f"Cannot fetch pip from {host} ({error}).\n"
            "Install it with the system instead (Debian, Ubuntu: apt-get install python3-venv) and try again."
        )
    if hashlib.sha256(wheel).hexdigest() != digest:
        sys.exit("The pip that was fetched is not the one the index announces; try again.")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / url.rpartition("/")[2]
        path.write_bytes(wheel)
        install = [sys.executable, f"{path}/pip", "install", "--quiet", "--no-index", str(path)]
        sys.exit(subprocess.run(install).returncode)


if __name__ == "__main__":
    main()
