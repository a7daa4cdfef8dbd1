# Shared by the setup scripts, which source it.

say() { printf '%s\n' "$*" >&2; }

fail() {
  say "error: $*"
  exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

# need_debian_packages REASON PACKAGE...: installs them where this is Debian and root, otherwise says what to do.
need_debian_packages() {
  local reason=$1
  shift
  if ! has apt-get; then
    fail "$reason is missing. On Debian it is in: $*. Install what your system calls it, then run this again."
  elif [ "$(id -u)" -ne 0 ]; then
    fail "$reason is missing. Install it by hand, then run this again: sudo apt-get install $*"
  fi
  say "installing $* ($reason is missing)"
  apt-get update -qq >&2
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2
}
