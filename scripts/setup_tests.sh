#!/usr/bin/env bash
# Sets up what the tests need beyond the build: rustfmt, clippy, browsers, a Vulkan driver that runs on the CPU.
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

# Where a browser is: CHROMIUM or FIREFOX if it is set, otherwise the usual names (tests/web/support/find_browser.mjs).
# need_browser BROWSER TITLE PACKAGE
need_browser() {
  node tests/web/support/find_browser.mjs "$1" >/dev/null 2>&1 || need_debian_packages "$2" "$3"
  node tests/web/support/find_browser.mjs "$1" >/dev/null
}
need_browser chromium Chromium chromium
need_browser firefox Firefox firefox-esr

has_software_vulkan() { compgen -G '/usr/share/vulkan/icd.d/lvp_icd*.json' >/dev/null || compgen -G '/etc/vulkan/icd.d/lvp_icd*.json' >/dev/null; }
if [ "$(uname -s)" = Linux ] && ! has_software_vulkan; then
  need_debian_packages "lavapipe, the Vulkan driver that runs on the CPU," mesa-vulkan-drivers
fi
