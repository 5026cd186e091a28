"""Makes the wheel engage-sandbox of one platform, with the platform's program.

    python3 build_sandbox_wheel.py --program target/release/engage-sandbox \\
        --platform manylinux_2_17_x86_64 --notices THIRD-PARTY-LICENCES.txt --out dist
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "bindings" / "python"))

from build_wheel import arguments, release, sources, write  # noqa: E402


def main() -> None:
    """Reads the arguments, writes the wheel and prints its path."""
    given = arguments("--program", "the program engage-sandbox, built for the platform")
    program = "engage_sandbox/engage-sandbox" + (".exe" if given.platform.startswith("win") else "")
    files = {**sources(HERE / "engage_sandbox"), program: given.program.read_bytes()}
    summary = "A simulated Voyado Engage Point Shop for tests, with a fixture of pytest"
    readme = HERE / "README.md"
    print(write(files, "engage-sandbox", summary, readme, given.platform, given.notices, given.out, release(), [program]))


if __name__ == "__main__":
    main()
