//! Programs for Windows' own rules: unloading, the loader lock, the end of the process, and files
//! that other programs do not share. `tests/windows` and `tests/hosts` have their sources.

use super::ended;
use super::machine::shim;
use crate::demo::Sandbox;
use crate::package::consumer::{Runner, run_by, seen};
use crate::package::target::Target;
use crate::package::{copy, make, write};
use crate::run::{Result, output, root, run, target as target_folder};
use crate::setup::{self, Need, need};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const SIGNING: &[Need] = &[need("osslsigncode", "osslsigncode", &["osslsigncode", "--version"])];

/// Builds the programs with the installed package and runs each. `installed` is the unpacked
/// archive.
pub fn try_all(target: &Target, installed: &Path, work: &Path, runner: &Runner) -> Result {
    let folder = work.join("windows");
    make(&folder)?;
    copy(&installed.join("bin/engage_point_shop.dll"), &folder.join("engage_point_shop.dll"))?;
    shim(target, &folder)?;
    let build = |source: &str, name: &str, more: &[&str]| -> Result<PathBuf> {
        let cpp = Path::new(source).extension().is_some_and(|extension| extension == "cpp");
        let compiler = if cpp { target.cc.replace("gcc", "g++") } else { target.cc.to_owned() };
        let standard = if cpp { "-std=c++17" } else { "-std=c99" };
        let program = folder.join(name);
        let mut command = Command::new(compiler);
        command.args([standard, "-O1", "-Wall", "-Wextra", "-Werror", "-static", "-I"]).arg(installed.join("include"));
        command.arg(root().join(source)).arg("-o").arg(&program).args(more);
        run(command.arg(installed.join("lib/libengage_point_shop.dll.a")).arg("-lws2_32"))?;
        Ok(program)
    };
    signed(&folder)?;
    let unload = build("tests/hosts/unload.c", "unload.exe", &[])?;
    let host = build("tests/windows/loader_lock.c", "host.exe", &[])?;
    build("tests/windows/plugin.cpp", "plugin.dll", &["-shared"])?;
    let sharing = build("tests/windows/sharing.c", "sharing.exe", &[])?;
    let proxy = build("tests/windows/proxy.c", "proxy.exe", &["-lwinhttp"])?;
    let window = build("examples/gui/win32.c", "window.exe", &[])?;

    let program = |name: &str, program: &Path, arguments: &[&str], wanted: &str| -> Result {
        let journals = folder.join(format!("journals-{name}"));
        make(&journals)?;
        // A name without its folder works in a chroot too.
        let mut command = run_by(runner, program);
        let arguments = arguments.iter().map(|argument| argument.replace("{journals}", &format!("journals-{name}")));
        let ended = ended(command.args(arguments).current_dir(&folder)).map_err(|error| format!("{name}: {error}"))?;
        let printed = String::from_utf8_lossy(&ended.stdout).replace('\r', "");
        if !ended.status.success() || printed != wanted {
            let errors = String::from_utf8_lossy(&ended.stderr);
            return Err(format!("{}: {name}: {}, printed {printed:?}\n{errors}", target.name, ended.status));
        }
        println!("{}: {name}: passed", target.name);
        Ok(())
    };
    program("unload", &unload, &["engage_point_shop.dll"], "unloaded\n")?;
    let unloads = format!("{}unloaded\n", "closed: EPS_OK\n".repeat(20));
    program("plug-in unloaded", &host, &["plugin.dll", "{journals}", "unload"], &unloads)?;
    // The other threads were ended before the plug-in's destructor ran.
    program("process ended", &host, &["plugin.dll", "{journals}", "exit"], "returns\nclosed: EPS_CLOSED\n")?;
    let opened = "opened: EPS_JOURNAL_TIMED_OUT\nclosed: EPS_CLOSED\n";
    program("opened in DllMain", &host, &["plugin.dll", "{journals}", "open"], opened)?;
    program("files not shared", &sharing, &["{journals}"], "shared\n")?;
    if target.is_32_bit() {
        // A program whose default is another calling convention: the header states each one.
        let other = build("tests/windows/convention.c", "convention.exe", &["-mrtd"])?;
        program("calling convention", &other, &[], "called\n")?;
        println!("{}: a callback of another convention must not compile", target.name);
        if build("tests/windows/convention.c", "callback.exe", &["-mrtd", "-DOTHER_CALLBACK"]).is_ok() {
            return Err("a callback of another calling convention compiles".into());
        }
    }
    let sandbox = Sandbox::start(&target_folder().join("debug/engage-sandbox"), work)?;
    program("proxy of the settings", &proxy, &[&sandbox.ca.display().to_string()], "proxied\n")?;
    let journal = seen(target, &folder.join("window.db")).display().to_string();
    let arguments = [&*sandbox.https, &*sandbox.ca.display().to_string(), &*sandbox.key, &*journal];
    program("purchase from a window", &window, &arguments, "pending\ncompleted\n")
}

/// Signs the folder's library as a release is signed, with a certificate of its own, and checks the
/// signature. The programs then use the signed library.
fn signed(folder: &Path) -> Result {
    setup::install(&[setup::TEST, SIGNING])?;
    let keys = folder.join("signing");
    make(&keys)?;
    let script = "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out certificate.pem -days 2 \
                  -subj /CN=Test -addext extendedKeyUsage=codeSigning && printf secret > password && \
                  openssl pkcs12 -export -inkey key.pem -in certificate.pem -passout file:password -out both.p12";
    output(Command::new("sh").args(["-c", script]).current_dir(&keys))?;
    let dll = folder.join("engage_point_shop.dll");
    let mut sign = Command::new(root().join("packaging/windows/sign.sh"));
    sign.env("EPS_SIGN_P12", keys.join("both.p12")).env("EPS_SIGN_PASSWORD_FILE", keys.join("password"));
    output(sign.arg(&dll))?;
    let verify = |dll: &Path| {
        let mut verify = Command::new("osslsigncode");
        output(verify.arg("verify").arg("-CAfile").arg(keys.join("certificate.pem")).arg("-in").arg(dll))
    };
    verify(&dll)?;
    // A signature that is also valid for another file proves nothing.
    let mut bytes = fs::read(&dll).map_err(|error| error.to_string())?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let changed = keys.join("changed.dll");
    write(&changed, bytes)?;
    if verify(&changed).is_ok() {
        return Err("the signature is valid for a changed library too".into());
    }
    println!("the signed library: passed");
    Ok(())
}
