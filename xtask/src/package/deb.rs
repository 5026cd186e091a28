//! The Debian packages: the shared library, the files for development, and the programs. All have
//! the files of the archive below `/usr`.

use super::build::Built;
use super::target::TOOLS;
use super::{VERSION, make, write};
use crate::run::{Result, run, target as target_folder};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

const LIBRARY: &str = include_str!("../../../packaging/debian/control");
const DEVELOPMENT: &str = include_str!("../../../packaging/debian/control-dev");
const PROGRAMS: &str = include_str!("../../../packaging/debian/control-tools");

/// The packages' time: a zip file's first day, as in the other packages.
const TIME: &str = "315619200";

/// Writes the packages from the archive's tree. Only Linux has any.
pub fn pack(built: &Built, tree: &Path, into: &Path) -> Result<Vec<PathBuf>> {
    if built.target.is_windows() {
        return Ok(Vec::new());
    }
    let architecture = if built.target.name.ends_with("arm64") { "arm64" } else { "amd64" };
    let (library, development) = (folder("libengage-point-shop1")?, folder("libengage-point-shop-dev")?);
    let versioned = format!("libengage_point_shop.so.1.{VERSION}");
    take(&tree.join("lib").join(&versioned), &library.join("usr/lib"))?;
    link(&versioned, &library.join("usr/lib/libengage_point_shop.so.1"))?;
    // The loader's cache gets the library.
    write(&library.join("DEBIAN/triggers"), "activate-noawait ldconfig\n")?;
    take(&tree.join("include"), &development.join("usr"))?;
    for name in ["cmake", "pkgconfig", "libengage_point_shop.a"] {
        take(&tree.join("lib").join(name), &development.join("usr/lib"))?;
    }
    link("libengage_point_shop.so.1", &development.join("usr/lib/libengage_point_shop.so"))?;
    let programs = folder("engage-point-shop-tools")?;
    take(&tree.join("bin"), &programs.join("usr"))?;
    for (tool, _) in TOOLS {
        take(&tree.join("share").join(tool), &programs.join("usr/share/doc/engage-point-shop-tools"))?;
    }
    let mut packages = Vec::new();
    for (folder, control) in [(library, LIBRARY), (development, DEVELOPMENT), (programs, PROGRAMS)] {
        let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let control = control.replace("@VERSION@", VERSION).replace("@ARCHITECTURE@", architecture);
        write(&folder.join("DEBIAN/control"), control)?;
        let notices = folder.join("usr/share/doc").join(&name);
        for licence in ["LICENSE-MIT", "LICENSE-APACHE", "THIRD-PARTY-LICENCES.txt"] {
            take(&tree.join(licence), &notices)?;
        }
        run(Command::new("chmod").args(["-R", "a+rX,go-w,u+w"]).arg(&folder))?;
        let package = into.join(format!("{name}_{VERSION}_{architecture}.deb"));
        let mut deb = Command::new("dpkg-deb");
        deb.args(["--root-owner-group", "-Zxz", "--build"]).arg(&folder).arg(&package).env("SOURCE_DATE_EPOCH", TIME);
        run(deb.stdout(std::process::Stdio::null()))?;
        packages.push(package);
    }
    Ok(packages)
}

/// Makes an empty folder for a package's files.
fn folder(name: &str) -> Result<PathBuf> {
    let folder = target_folder().join("package").join("deb").join(name);
    let _ = fs::remove_dir_all(&folder);
    make(&folder.join("DEBIAN"))?;
    Ok(folder)
}

fn take(from: &Path, into: &Path) -> Result {
    make(into)?;
    run(Command::new("cp").arg("-r").arg(from).arg(into))
}

fn link(to: &str, at: &Path) -> Result {
    symlink(to, at).map_err(|error| format!("{}: {error}", at.display()))
}
