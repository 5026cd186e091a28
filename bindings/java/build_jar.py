"""Makes the jar and its pom: the classes, the native libraries and the licences.

    python3 build_jar.py --jna /usr/share/java/jna.jar --out dist \\
        --library linux-x64=target/release/libengage_point_shop.so

A library is given with its target: linux-x64, linux-arm64, win-x64 or win-x86. The classes are for
Java 8; in Java 16 and newer the results are records. The script needs a JDK of 16 or newer. Two jars
of the same files have the same bytes.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import tempfile
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent

FOLDERS = {"linux-x64": "linux-x86-64", "linux-arm64": "linux-aarch64", "win-x64": "win32-x86-64", "win-x86": "win32-x86"}
"""The folders in which JNA searches a jar."""


def main() -> None:
    """Reads the arguments, writes the jar and the pom, and prints the path of the jar."""
    parser = argparse.ArgumentParser(description="Makes the jar and its pom.")
    parser.add_argument("--library", action="append", default=[], help="TARGET=FILE, any number of times")
    parser.add_argument("--notices", type=Path, help="the licences of the crates in the libraries; a release has them")
    parser.add_argument("--sbom", action="append", default=[], help="TARGET=FILE, the bill of materials of a library")
    parser.add_argument("--jna", type=Path, required=True, help="the jar of JNA, 5.13 or newer")
    parser.add_argument("--out", type=Path, required=True, help="the folder to put both files into")
    given = parser.parse_args()
    found = re.search(r'^version = "(.+)"$', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)
    if found is None:
        raise SystemExit("Cargo.toml has no version. Add version = \"1.2.3\" to it.")
    stem = given.out / f"engage-point-shop-{found[1]}"
    given.out.mkdir(parents=True, exist_ok=True)
    files = contents(given.library, given.sbom, given.notices, found[1])
    with tempfile.TemporaryDirectory() as folder:
        files.update(classes(Path(folder), given.jna))
    with zipfile.ZipFile(f"{stem}.jar", "w") as jar:
        for path, data in files.items():
            # Its date is 1980, so that the bytes are always the same.
            jar.writestr(zipfile.ZipInfo(path), data, zipfile.ZIP_DEFLATED)
    Path(f"{stem}.pom").write_text((HERE / "pom.xml").read_text().replace("@VERSION@", found[1]))
    print(f"{stem}.jar")


def contents(libraries: list[str], sboms: list[str], notices: Path | None, version: str) -> dict[str, bytes]:
    """Returns every file of the jar but the classes."""
    manifest = (
        "Manifest-Version: 1.0\r\nMulti-Release: true\r\nAutomatic-Module-Name: engage.pointshop\r\n"
        f"Implementation-Title: engage-point-shop\r\nImplementation-Version: {version}\r\n\r\n"
    )
    files = {"META-INF/MANIFEST.MF": manifest.encode()}
    for licence in ("LICENSE-APACHE", "LICENSE-MIT"):
        files[f"META-INF/{licence}"] = (ROOT / licence).read_bytes()
    if notices is not None:
        files["META-INF/THIRD-PARTY-LICENCES.txt"] = notices.read_bytes()
    for sbom in sboms:
        target, _, path = sbom.partition("=")
        files[f"META-INF/sbom/{target}.cdx.json"] = Path(path).read_bytes()
    for library in libraries:
        target, _, path = library.partition("=")
        if target not in FOLDERS:
            raise SystemExit(f"There is no target {target}. Choose one of {', '.join(FOLDERS)}.")
        name = "engage_point_shop.dll" if target.startswith("win") else "libengage_point_shop.so"
        files[f"{FOLDERS[target]}/{name}"] = Path(path).read_bytes()
    return files


def classes(folder: Path, jna: Path) -> dict[str, bytes]:
    """Compiles the classes, and the records that replace some of them in Java 16 and newer."""
    files = {}
    base, records = folder / "8", folder / "16"
    for release, into, path, prefix in [
        ("8", base, [jna], ""),
        ("16", records, [jna, base], "META-INF/versions/16/"),
    ]:
        sources = sorted((HERE / "src/main" / ("java" if release == "8" else "java16")).rglob("*.java"))
        command = ["javac", "--release", release, "-Xlint:all,-options,-processing", "-Werror", "-encoding", "UTF-8"]
        command += ["-cp", os.pathsep.join(map(str, path)), "-d", str(into), *map(str, sources)]
        subprocess.run(command, check=True)
        found = sorted(into.rglob("*.class"))
        files.update({f"{prefix}{path.relative_to(into).as_posix()}": path.read_bytes() for path in found})
    return files


if __name__ == "__main__":
    main()
