#!/usr/bin/env bash
# Sets up what the build needs and lacks: the wasm target, trunk, wasm-bindgen, the npm packages, the crates.
# What is there already is left alone, so that running it again takes a moment and no network.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/setup_lib.sh

TRUNK_VERSION=0.21.14

# The version of a package in Cargo.lock.
locked_version() {
  awk -v name="name = \"$1\"" '$0 == name { getline; gsub(/version = |"/, ""); print; exit }' Cargo.lock
}

# Whether version $1 is at least version $2.
at_least() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$2" ]; }

has cc || need_debian_packages "a C compiler and linker" build-essential
has cargo || fail "Rust is missing: install it with rustup, https://rustup.rs"
has node && has npm || fail "Node.js is missing: install version 20.12 or newer, with npm"

rust_needed=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
rust_found=$(rustc --version | cut -d ' ' -f 2)
at_least "$rust_found" "$rust_needed" ||
  fail "Rust $rust_found is too old: $rust_needed or newer is needed (rustup update stable)"
node_found=$(node --version)
at_least "${node_found#v}" 20.12 || fail "Node.js $node_found is too old: 20.12 or newer is needed"

if ! [ -d "$(rustc --print sysroot)/lib/rustlib/wasm32-unknown-unknown" ]; then
  has rustup || fail "Rust's target wasm32-unknown-unknown is missing, and so is rustup, which would install it"
  say "installing Rust's wasm32 target"
  rustup target add wasm32-unknown-unknown
fi

if [ "$(trunk --version 2>/dev/null)" != "trunk $TRUNK_VERSION" ]; then
  say "building trunk $TRUNK_VERSION into .tools (once; several minutes)"
  # Its dependencies compile only in the versions that it was released with.
  cargo install trunk --version "$TRUNK_VERSION" --locked --root .tools
fi

bindgen_version=$(locked_version wasm-bindgen)
if [ "$(wasm-bindgen --version 2>/dev/null)" != "wasm-bindgen $bindgen_version" ]; then
  say "building wasm-bindgen $bindgen_version into .tools (once; a few minutes)"
  # Without --locked: its own lock file does not resolve on every package index.
  cargo install wasm-bindgen-cli --version "$bindgen_version" --root .tools
fi

# The lock file that node_modules was last made from is kept in it.
if ! cmp -s package-lock.json node_modules/.installed-package-lock.json; then
  say "installing the npm packages"
  npm ci --ignore-scripts
  cp package-lock.json node_modules/.installed-package-lock.json
fi

cargo fetch --locked --quiet
