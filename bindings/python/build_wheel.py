"""Makes the wheel of one platform: the package, the platform's native library and the licences.

    python3 build_wheel.py --library target/release/libengage_point_shop.so \\
        --platform manylinux_2_17_x86_64 --notices THIRD-PARTY-LICENCES.txt --out dist

The platform is pip's tag: win_amd64, win32, manylinux_2_17_x86_64, manylinux_2_17_aarch64,
linux_x86_64. Two wheels of the same files have the same bytes. The script needs only Python: no
compiler builds or installs the wheel.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import re
import stat
import zipfile
from collections.abc import Collection
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def main() -> None:
    """Reads the arguments, writes the wheel and prints its path."""
    given = arguments("--library", "the native library, built for the platform")
    print(build(given.library, given.platform, given.notices, given.out, release()))


def arguments(native: str, what: str) -> argparse.Namespace:
    """Reads the arguments of a wheel's script. The option `native` names the platform's own file."""
    parser = argparse.ArgumentParser(description="Makes the wheel of one platform.")
    parser.add_argument(native, type=Path, required=True, help=what)
    parser.add_argument("--platform", required=True, help="the platform's tag, manylinux_2_17_x86_64")
    parser.add_argument("--notices", type=Path, help="the licences of the crates in that file; a release has them")
    parser.add_argument("--out", type=Path, required=True, help="the folder to put the wheel into")
    return parser.parse_args()


def release() -> str:
    """Returns the version of the project."""
    found = re.search(r'^version = "(.+)"$', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)
    if found is None:
        raise SystemExit("Cargo.toml has no version. Add version = \"1.2.3\" to it.")
    return found[1]


def build(library: Path, platform: str, notices: Path | None, out: Path, version: str) -> Path:
    """Writes the wheel and returns its path."""
    # The name under which the package searches for it.
    name = "engage_point_shop.dll" if platform.startswith("win") else "libengage_point_shop.so"
    files = {**sources(HERE / "engage_point_shop"), f"engage_point_shop/{name}": library.read_bytes()}
    summary = "Sell loyalty rewards for points at the till"
    return write(files, "engage-point-shop", summary, HERE / "README.md", platform, notices, out, version)


def sources(package: Path) -> dict[str, bytes]:
    """Returns the files of a typed Python package."""
    files = {f"{package.name}/{path.name}": path.read_bytes() for path in sorted(package.glob("*.py"))}
    return {**files, f"{package.name}/py.typed": b""}


def write(
    files: dict[str, bytes], name: str, summary: str, readme: Path, platform: str, notices: Path | None, out: Path, version: str, programs: Collection[str] = ()
) -> Path:
    """Adds the files that each wheel has, writes the wheel and returns its path."""
    stem = f"{name.replace('-', '_')}-{version}"
    info = f"{stem}.dist-info"
    # Beside the readme: the commands and plug-ins of the package.
    points = readme.with_name("entry_points.txt")
    if points.exists():
        files[f"{info}/entry_points.txt"] = points.read_bytes()
    for licence in ("LICENSE-APACHE", "LICENSE-MIT"):
        files[f"{info}/licenses/{licence}"] = (ROOT / licence).read_bytes()
    third_party = ""
    if notices is not None:
        files[f"{info}/licenses/THIRD-PARTY-LICENCES.txt"] = notices.read_bytes()
        third_party = "License-File: THIRD-PARTY-LICENCES.txt\n"
    files[f"{info}/METADATA"] = (
        f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\nSummary: {summary}\n"
        "License-Expression: MIT OR Apache-2.0\nLicense-File: LICENSE-APACHE\nLicense-File: LICENSE-MIT\n"
        f"{third_party}Requires-Python: >=3.9\n"
        f"Description-Content-Type: text/markdown\n\n{readme.read_text()}"
    ).encode()
    files[f"{info}/WHEEL"] = (
        f"Wheel-Version: 1.0\nGenerator: build_wheel\nRoot-Is-Purelib: false\nTag: py3-none-{platform}\n"
    ).encode()
    record = f"{info}/RECORD"
    files[record] = "".join([f"{path},{digest(data)},{len(data)}\n" for path, data in files.items()] + [f"{record},,\n"]).encode()

    out.mkdir(parents=True, exist_ok=True)
    wheel = out / f"{stem}-py3-none-{platform}.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, data in files.items():
            entry = zipfile.ZipInfo(path)  # Its date is 1980, so that the bytes are always the same.
            entry.external_attr = (stat.S_IFREG | (0o755 if path in programs else 0o644)) << 16
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return wheel


def digest(data: bytes) -> str:
    """Returns the hash of a file as RECORD needs it."""
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")


if __name__ == "__main__":
    main()
