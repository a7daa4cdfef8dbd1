#!/usr/bin/env bash
# Sets up what the tests need beyond the build: rustfmt, clippy, a browser, a Vulkan driver that runs on the CPU.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/setup_lib.sh

for component in rustfmt clippy; do
  if ! "cargo-${component#rust}" --version >/dev/null 2>&1; then
    has rustup || fail "$component is missing, and so is rustup, which would install it"
    say "installing $component"
    rustup component add "$component"
  fi
done

# Where the browser is: CHROMIUM if it is set, otherwise the usual names (tests/web/support/browser.mjs).
node tests/web/support/find_chromium.mjs >/dev/null 2>&1 || need_debian_packages "Chromium" chromium
node tests/web/support/find_chromium.mjs >/dev/null

has_software_vulkan() { compgen -G '/usr/share/vulkan/icd.d/lvp_icd*.json' >/dev/null || compgen -G '/etc/vulkan/icd.d/lvp_icd*.json' >/dev/null; }
if [ "$(uname -s)" = Linux ] && ! has_software_vulkan; then
  need_debian_packages "lavapipe, the Vulkan driver that runs on the CPU," mesa-vulkan-drivers
fi
