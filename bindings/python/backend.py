"""Makes the source distribution, and the wheel of a platform that has none.

    python3 backend.py dist

pip takes the source distribution where there is no wheel for the platform. It compiles nothing: it
makes a wheel with the native library that ENGAGE_POINT_SHOP_LIBRARY names, or says how to get one.
The functions are the hooks of PEP 517. Two source distributions of the same files have the same bytes.
"""

from __future__ import annotations

import gzip
import io
import os
import re
import sys
import sysconfig
import tarfile
from pathlib import Path

import build_wheel as wheel

VARIABLE = "ENGAGE_POINT_SHOP_LIBRARY"

PYPROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["bindings/python"]
"""


def version() -> str:
    """Returns the version of the project."""
    return re.search(r'^version = "(.+)"$', (wheel.ROOT / "Cargo.toml").read_text(), re.MULTILINE)[1]


def build_wheel(folder: str, settings: object = None, metadata: object = None) -> str:
    """Makes the wheel of this platform and returns its name."""
    library = os.environ.get(VARIABLE)
    platform = re.sub(r"\W", "_", sysconfig.get_platform())
    if not library:
        raise SystemExit(
            f"engage-point-shop has no wheel for this platform ({platform}); its wheels are for Windows and for Linux with glibc 2.17 or newer. "
            f"Build the native library from the project's sources (cargo build --release), set {VARIABLE} to its path and install again. "
            "An old pip does not know the wheels of Linux: upgrade pip first."
        )
    return wheel.build(Path(library), platform, None, Path(folder), version()).name


def build_sdist(folder: str, settings: object = None) -> str:
    """Writes the source distribution and returns its name."""
    stem = f"engage_point_shop-{version()}"
    info = f"Metadata-Version: 2.4\nName: engage-point-shop\nVersion: {version()}\nLicense-Expression: MIT OR Apache-2.0\nRequires-Python: >=3.9\n"
    files = {"PKG-INFO": info.encode(), "pyproject.toml": PYPROJECT.encode(), "Cargo.toml": f'version = "{version()}"\n'.encode()}
    sources = [Path("LICENSE-APACHE"), Path("LICENSE-MIT")]
    here = wheel.HERE.relative_to(wheel.ROOT)
    sources += [here / name for name in ("README.md", "backend.py", "build_wheel.py")]
    sources += [path.relative_to(wheel.ROOT) for path in sorted((wheel.HERE / "engage_point_shop").glob("*.py"))]
    files.update({path.as_posix(): (wheel.ROOT / path).read_bytes() for path in sources})
    Path(folder).mkdir(parents=True, exist_ok=True)
    # Neither the gzip file nor an entry has a time.
    with (
        open(Path(folder) / f"{stem}.tar.gz", "wb") as file,
        gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed,
        tarfile.open(mode="w", fileobj=packed, format=tarfile.PAX_FORMAT) as archive,
    ):
        for path, data in files.items():
            entry = tarfile.TarInfo(f"{stem}/{path}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return f"{stem}.tar.gz"


if __name__ == "__main__":
    print(Path(sys.argv[1]) / build_sdist(sys.argv[1]))
