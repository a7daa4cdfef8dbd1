#!/usr/bin/env bash
# Runs the checks, all of them (`all`) or those that take seconds once things are built (`quick`).
# A failed check does not hide the next one: at the end there is a list, and the exit status is 1 if any failed.
set -euo pipefail
cd "$(dirname "$0")/.."

failed=()
summary=()

# check NAME COMMAND...: runs one check and notes how it ended, the last one's end in $outcome.
check() {
  local name=$1 started=$SECONDS
  shift
  outcome=passed
  printf '\n==> %s\n' "$name"
  if ! "$@"; then
    outcome=FAILED
    failed+=("$name")
    printf '==> FAILED: %s\n' "$name"
  fi
  summary+=("$(printf '%-7s %4d s  %s' "$outcome" $((SECONDS - started)) "$name")")
}

# not_run NAME REASON: a check that cannot be made is a failed one.
not_run() {
  failed+=("$1")
  summary+=("$(printf '%-7s %6s  %s (not run: %s)' FAILED '' "$1" "$2")")
}

check_quick() {
  check "Rust formatting" cargo fmt --check
  check "JavaScript formatting" npm run --silent check-format
  check "JavaScript and TypeScript types" npm run --silent check-types
  check "clippy, native" cargo clippy --locked --all-targets -- -D warnings
}

check_all() {
  check_quick
  check "clippy, wasm32" cargo clippy --locked --lib --target wasm32-unknown-unknown -- -D warnings
  check "documentation" env RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps
  check "native tests" cargo test --locked
  local size="size of the wasm module" browser="server and browser tests"
  check "build of the page" make --no-print-directory build
  if [ "$outcome" = FAILED ]; then
    # dist/ still holds the build before: testing that would say nothing.
    not_run "$size" "the build failed"
    not_run "$browser" "the build failed"
    return
  fi
  check "$size" node scripts/report_wasm_size.mjs
  # One file at a time: side by side they only slow each other down on few cores.
  check "$browser" node --test --test-concurrency=1 --test-reporter=spec tests/web/*.test.mjs
}

case ${1:-} in
all) check_all ;;
quick) check_quick ;;
*)
  echo "usage: scripts/run_checks.sh all|quick" >&2
  exit 2
  ;;
esac

printf '\n'
printf '%s\n' "${summary[@]}"
if [ ${#failed[@]} -gt 0 ]; then
  printf '\n%d of %d checks failed.\n' "${#failed[@]}" "${#summary[@]}"
  exit 1
fi
printf '\nAll %d checks passed.\n' "${#summary[@]}"
