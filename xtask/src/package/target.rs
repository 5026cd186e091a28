//! The targets, and the limits of their needs.

use crate::run::Result;
use crate::setup::{Need, need};
use crate::static_library::Binutils;

/// The toolchain that builds a target.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Toolchain {
    /// The pinned toolchain. zig links for an old C library.
    Pinned,
    /// Debian's rustc, whose packages include the standard library's sources. zig links.
    DebianZig,
    /// Debian's rustc with MinGW.
    DebianMingw,
}

pub struct Target {
    /// .NET's name (runtime identifier).
    pub name: &'static str,
    pub triple: &'static str,
    pub toolchain: Toolchain,
    /// Python's name (platform tag). None: no Python of this package's age is supported.
    pub wheel: Option<&'static str>,
    pub binutils: Binutils,
    /// The C compiler of the test programs.
    pub cc: &'static str,
    pub needs: &'static [Need],
}

/// The newest version of the C library that a Linux library may need.
pub const GLIBC: (u32, u32) = (2, 17);

/// The libraries that a Linux library may need: parts of glibc. libgcc_s is optional on a till,
/// so it is not listed.
pub const LINUX_LIBRARIES: &[&str] =
    &["libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"];

/// The functions that a Windows library may import, as `dll function`: parts of its oldest Windows.
/// No VC++ or GCC runtime.
pub const WINDOWS_10: &str = include_str!("../../../packaging/windows/imports-10.txt");
pub const WINDOWS_7: &str = include_str!("../../../packaging/windows/imports-7.txt");

/// The further functions that a program of a Windows package may import.
pub const WINDOWS_TOOLS: &str = include_str!("../../../packaging/windows/imports-tools.txt");

/// The size limits, in bytes.
pub const SHARED_BUDGET: u64 = 3_600_000;
pub const STATIC_BUDGET: u64 = 12_000_000;

/// The programs of every package: the package that cargo builds, and the size limit in bytes.
pub const TOOLS: &[(&str, u64)] = &[("eps", 6_000_000), ("engage-sandbox", 9_000_000)];

const DEBIAN_RUST: Need =
    need("Debian's Rust with the sources of its standard library", "rustc-web", &["/usr/bin/rustc", "--version"]);
const DEBIAN_CARGO: Need = need("Debian's cargo", "cargo-web", &["/usr/bin/cargo", "--version"]);
const DEBIAN_SOURCES: Need =
    need("the sources of Rust's standard library", "rust-web-src", &["sh", "-c", "test -d /usr/src/rustc-*/library"]);
const VENV: Need = need("Python's venv", "python3-venv", &["python3", "-c", "import ensurepip, venv"]);

pub const TARGETS: &[Target] = &[
    Target {
        name: "linux-x64",
        triple: "x86_64-unknown-linux-gnu",
        toolchain: Toolchain::Pinned,
        wheel: Some("manylinux_2_17_x86_64"),
        binutils: Binutils { prefix: "" },
        cc: "cc",
        needs: &[VENV],
    },
    Target {
        name: "linux-arm64",
        triple: "aarch64-unknown-linux-gnu",
        toolchain: Toolchain::DebianZig,
        wheel: Some("manylinux_2_17_aarch64"),
        binutils: Binutils { prefix: "aarch64-linux-gnu-" },
        cc: "aarch64-linux-gnu-gcc",
        needs: &[
            VENV,
            DEBIAN_RUST,
            DEBIAN_CARGO,
            DEBIAN_SOURCES,
            need("a C compiler for ARM64", "gcc-aarch64-linux-gnu", &["aarch64-linux-gnu-gcc", "--version"]),
            need(
                "the C library for ARM64",
                "libc6-dev-arm64-cross",
                &["test", "-e", "/usr/aarch64-linux-gnu/lib/libc.so.6"],
            ),
        ],
    },
    Target {
        name: "win-x64",
        triple: "x86_64-pc-windows-gnu",
        toolchain: Toolchain::DebianMingw,
        wheel: Some("win_amd64"),
        binutils: Binutils { prefix: "x86_64-w64-mingw32-" },
        cc: "x86_64-w64-mingw32-gcc",
        needs: MINGW_64,
    },
    Target {
        name: "win-x86",
        triple: "i686-pc-windows-gnu",
        toolchain: Toolchain::DebianMingw,
        wheel: Some("win32"),
        binutils: Binutils { prefix: "i686-w64-mingw32-" },
        cc: "i686-w64-mingw32-gcc",
        needs: MINGW_32,
    },
    Target {
        name: "win7-x64",
        triple: "x86_64-win7-windows-gnu",
        toolchain: Toolchain::DebianMingw,
        wheel: None,
        binutils: Binutils { prefix: "x86_64-w64-mingw32-" },
        cc: "x86_64-w64-mingw32-gcc",
        needs: MINGW_64,
    },
    Target {
        name: "win7-x86",
        triple: "i686-win7-windows-gnu",
        toolchain: Toolchain::DebianMingw,
        wheel: None,
        binutils: Binutils { prefix: "i686-w64-mingw32-" },
        cc: "i686-w64-mingw32-gcc",
        needs: MINGW_32,
    },
];

const MINGW_64: &[Need] = &[
    VENV,
    DEBIAN_RUST,
    DEBIAN_CARGO,
    DEBIAN_SOURCES,
    need("MinGW for 64 bits", "gcc-mingw-w64-x86-64", &["x86_64-w64-mingw32-gcc", "--version"]),
    need("MinGW's C++ for 64 bits", "g++-mingw-w64-x86-64", &["x86_64-w64-mingw32-g++", "--version"]),
];
const MINGW_32: &[Need] = &[
    VENV,
    DEBIAN_RUST,
    DEBIAN_CARGO,
    DEBIAN_SOURCES,
    need("MinGW for 32 bits", "gcc-mingw-w64-i686", &["i686-w64-mingw32-gcc", "--version"]),
    need("MinGW's C++ for 32 bits", "g++-mingw-w64-i686", &["i686-w64-mingw32-g++", "--version"]),
];

impl Target {
    pub fn named(name: &str) -> Result<&'static Self> {
        let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
        let found = TARGETS.iter().find(|target| target.name == name || target.triple == name);
        found.ok_or_else(|| format!("There is no target {name}. Choose one of {} and all.", names.join(", ")))
    }

    pub fn is_windows(&self) -> bool {
        self.name.starts_with("win")
    }

    /// Whether programs of this target have 32 bits.
    pub fn is_32_bit(&self) -> bool {
        self.name.ends_with("x86")
    }

    /// Whether the package is for Windows 7 and 8.1.
    pub fn is_windows_7(&self) -> bool {
        self.name.starts_with("win7")
    }

    /// Returns the name of a program's file.
    pub fn program(&self, name: &str) -> String {
        if self.is_windows() { format!("{name}.exe") } else { name.to_owned() }
    }

    /// The functions that a Windows library may import.
    pub fn imports(&self) -> &'static str {
        if self.is_windows_7() { WINDOWS_7 } else { WINDOWS_10 }
    }
}
