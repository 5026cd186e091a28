"use strict";

/**
 * Makes the npm package: the binding, the native libraries and the licences.
 *
 *     node pack.js --out dist --library linux-x64=target/release/libengage_point_shop.so
 *
 * A library is given with its target: linux-x64, linux-arm64, win-x64 or win-x86. `--notices` names
 * the licences of the crates in the libraries, `--sbom` a target's bill of materials. Two packages
 * of the same files have the same bytes.
 */

const { execFileSync } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { parseArgs } = require("node:util");

const root = path.join(__dirname, "..", "..");
const files = { type: "string", multiple: true };
const options = { out: { type: "string" }, library: files, sbom: files, notices: { type: "string" } };
const { values: given } = parseArgs({ options });
const version = /^version = "(.+)"$/m.exec(fs.readFileSync(path.join(root, "Cargo.toml"), "utf8"))[1];

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "engage-point-shop-"));
try {
  fs.cpSync(path.join(__dirname, "lib"), path.join(folder, "lib"), { recursive: true });
  const manifest = fs.readFileSync(path.join(__dirname, "package.json"), "utf8");
  fs.writeFileSync(path.join(folder, "package.json"), manifest.replace("@VERSION@", version));
  fs.copyFileSync(path.join(root, "docs", "node.md"), path.join(folder, "README.md"));
  for (const licence of ["LICENSE-APACHE", "LICENSE-MIT"]) fs.copyFileSync(path.join(root, licence), path.join(folder, licence));
  if (given.notices) fs.copyFileSync(given.notices, path.join(folder, "THIRD-PARTY-LICENCES.txt"));
  for (const sbom of given.sbom ?? []) {
    const [target, file] = sbom.split("=");
    fs.mkdirSync(path.join(folder, "sbom"), { recursive: true });
    fs.copyFileSync(file, path.join(folder, "sbom", `${target}.cdx.json`));
  }
  for (const library of given.library ?? []) {
    const [target, file] = library.split("=");
    const native = path.join(folder, "native", target);
    fs.mkdirSync(native, { recursive: true });
    fs.copyFileSync(file, path.join(native, target.startsWith("win") ? "engage_point_shop.dll" : "libengage_point_shop.so"));
  }
  fs.mkdirSync(given.out, { recursive: true });
  const packed = ["pack", "--silent", "--ignore-scripts", "--pack-destination", path.resolve(given.out)];
  const name = execFileSync("npm", packed, { cwd: folder, encoding: "utf8" }).trim();
  console.log(path.join(path.resolve(given.out), name));
} finally {
  fs.rmSync(folder, { recursive: true });
}
