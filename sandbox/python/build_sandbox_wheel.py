"""Makes the wheel engage-sandbox of one platform, with the platform's program.

    python3 build_sandbox_wheel.py --program target/release/engage-sandbox \\
        --platform manylinux_2_17_x86_64 --notices THIRD-PARTY-LICENCES.txt --out dist
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "bindings" / "python"))

from build_wheel import release, sources, write  # noqa: E402


def main() -> None:
    """Reads the arguments, writes the wheel and prints its path."""
    parser = argparse.ArgumentParser(description="Makes the wheel engage-sandbox of one platform.")
    parser.add_argument("--program", type=Path, required=True, help="the program engage-sandbox, built for the platform")
    parser.add_argument("--platform", required=True, help="the platform's tag, manylinux_2_17_x86_64")
    parser.add_argument("--notices", type=Path, help="the licences of the crates in the program; a release has them")
    parser.add_argument("--out", type=Path, required=True, help="the folder to put the wheel into")
    given = parser.parse_args()
    program = "engage_sandbox/engage-sandbox" + (".exe" if given.platform.startswith("win") else "")
    files = {**sources(HERE / "engage_sandbox"), program: given.program.read_bytes()}
    summary = "A simulated Voyado Engage Point Shop for tests, with a fixture of pytest"
    readme = HERE / "README.md"
    print(write(files, "engage-sandbox", summary, readme, given.platform, given.notices, given.out, release(), [program]))


if __name__ == "__main__":
    main()
