"""Checks that the package works on this machine: `python -m engage_point_shop`.

It loads the library, opens a journal in an empty folder and makes a call that needs no network.
"""

from __future__ import annotations

import platform
import struct
import sys
import tempfile
from pathlib import Path

from . import ABI_VERSION, Client, Code, NotSent, client, json_get, json_quote, new_id, version


def main() -> None:
    """Prints the parts of the installation. A fault ends it with an exception."""
    bits = 8 * struct.calcsize("P")
    print(f"Python {platform.python_version()}, {bits} bits, {sys.platform}")
    print(f"library {version()}, ABI {ABI_VERSION}: {client._library._name}")
    text = 'a "quoted" text, å'
    if json_get(json_quote(text), "") != text:
        raise SystemExit("A text changed on its way through the library. Report it.")
    with tempfile.TemporaryDirectory() as folder:
        config = {
            # Nobody listens there, and nothing is sent.
            "baseUrl": "http://127.0.0.1:9",
            "userAgent": "SelfTest/1",
            "journalPath": Path(folder).resolve() / "points.db",
            "preconnect": False,
        }
        with Client(config) as shop:
            try:
                shop.get_operation(new_id())
            except NotSent as error:
                if error.code != Code.UNKNOWN_OPERATION:
                    raise
        print("journal: opened, read and closed")
    print("engage_point_shop works")


if __name__ == "__main__":
    main()
