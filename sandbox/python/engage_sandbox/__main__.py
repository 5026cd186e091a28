"""The command ``engage-sandbox``: runs the program of this package in the place of Python."""

from __future__ import annotations

import os
import subprocess
import sys

from engage_sandbox import program


def main() -> int:
    """Runs the program with this command's arguments, and returns its exit code."""
    command = [str(program()), *sys.argv[1:]]
    if os.name != "nt":
        os.execv(command[0], command)
    try:
        return subprocess.run(command).returncode
    except KeyboardInterrupt:  # The program has got it too.
        return 130


if __name__ == "__main__":
    sys.exit(main())
