"""A simulated Voyado Engage Point Shop for tests: starts the program engage-sandbox of this package.

    with Sandbox() as sandbox:
        sandbox.arm("purchase", "response-lost")
        ...                                 # the code under test, with sandbox.config
        assert len(sandbox.ledger()) == 1

pytest has the fixture ``engage_sandbox``, which gives each test a sandbox of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, cast

__all__ = ["Sandbox", "SandboxError", "program"]


class SandboxError(Exception):
    """The sandbox did not start, or rejected a command."""


def program() -> Path:
    """Returns the path of the program engage-sandbox."""
    return Path(__file__).with_name("engage-sandbox.exe" if os.name == "nt" else "engage-sandbox")


class Sandbox:
    """A running sandbox. It ends with ``close``, with its ``with`` block, and with this process.

    url       Engage's address for the code under test, https
    http_url  the same without TLS, and the dashboard for a browser
    ca        the file with the root certificate of ``url``
    key       the API key
    config    the configuration of a till, ready for ``engage_point_shop.Client``
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None, *options: str) -> None:
        """Starts a sandbox. The till's journal is in ``folder``, by default a temporary one.

        ``options`` are further options of the command line, such as ``"--seed", "seed.json"``.
        """
        self._temporary = None
        if folder is None:
            self._temporary = tempfile.TemporaryDirectory()
            folder = self._temporary.name
        self.folder = Path(folder).absolute()
        # Its standard input closes with this process, whatever ends this process.
        command = [str(program()), "--http", "0", "--https", "0", "--json", "--until-stdin-closes", *options]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, cwd=self.folder, stdin=pipe, stdout=pipe, stderr=pipe, text=True, encoding="utf-8")
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            said = self._process.communicate()[1]
            self.close()
            raise SandboxError(said.strip() or "The sandbox ended before it was ready.")
        started = cast("dict[str, Any]", json.loads(line))
        self.url = str(started["https"])
        self.http_url = str(started["http"])
        self.ca = str(started["ca"])
        self.key = str(started["key"])
        self.config = cast("dict[str, Any]", started["till"])

    def arm(
        self, operation: str, effect: str | dict[str, Any], *, times: int = 1, nth: int = 1, contact: str | None = None, item: str | None = None
    ) -> None:
        """Arms a fault: ``arm("purchase", "response-lost")``.

        ``engage-sandbox arm --help`` lists the effects. A dict is an effect as the sandbox's JSON.
        With ``times=0`` the fault applies to every request from the ``nth`` on.
        """
        named = json.dumps(effect) if isinstance(effect, dict) else effect
        arguments = ["--times", str(times), "--nth", str(nth), operation, named]
        for name, value in (("--contact", contact), ("--item", item)):
            arguments += [] if value is None else [name, value]
        self.run("arm", *arguments)

    def clear(self) -> None:
        """Disarms all faults and chaos."""
        self.run("clear")

    def reset(self) -> None:
        """Restores the members, the items and the default settings, and empties the ledger."""
        self.run("reset")

    def ledger(self) -> list[dict[str, Any]]:
        """Returns the entries of the ledger: each change of points that Engage has made."""
        return cast("list[dict[str, Any]]", self.get("/_sandbox/ledger"))

    def get(self, path: str) -> Any:
        """Returns the JSON of one of the sandbox's own routes, such as ``/_sandbox/state``."""
        # Without the environment's proxy: the sandbox is on this computer.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(self.http_url + path) as response:
            return json.load(response)

    def run(self, command: str, *arguments: str) -> str:
        """Runs a command of engage-sandbox on this sandbox, and returns its output."""
        given = [str(program()), command, "--at", self.http_url, *arguments]
        ended = subprocess.run(given, stdin=subprocess.DEVNULL, capture_output=True, text=True, encoding="utf-8")
        if ended.returncode != 0:
            raise SandboxError(ended.stderr.strip() or f"{command} ended with {ended.returncode}")
        return ended.stdout

    def close(self) -> None:
        """Ends the sandbox. A second call does nothing."""
        process = self._process
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if self._temporary is not None:
            self._temporary.cleanup()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
