# shellcheck shell=bash
# Counts what passed and failed over all steps, and says it in one closing line. Sourced.

PASSED=0
FAILED=0
TROUBLE=()

# Runs a command that counts as one: step NAME COMMAND...
step() {
  local name=$1
  shift
  say "$name"
  if "$@"; then
    PASSED=$((PASSED + 1))
  else
    FAILED=$((FAILED + 1))
    TROUBLE+=("$name")
  fi
}

# Adds what a test runner counted: count NAME EXIT_STATUS PASSED FAILED. A runner that stopped
# without a failed test could not run, and that is a failure too.
count() {
  local name=$1 status=$2 passed=$3 failed=$4
  if [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then failed=1; fi
  PASSED=$((PASSED + passed))
  FAILED=$((FAILED + failed))
  if [ "$failed" -gt 0 ]; then TROUBLE+=("$name: $failed failed"); fi
}

# Prints the closing line; fails when anything failed.
close() {
  if [ ${#TROUBLE[@]} -gt 0 ]; then
    printf '\nNot well:\n' >&2
    printf '  %s\n' "${TROUBLE[@]}" >&2
  fi
  printf '\n%s passed, %s failed\n' "$PASSED" "$FAILED"
  [ "$FAILED" -eq 0 ]
}

# Runs `cargo test` with the arguments after the name and counts its tests.
rust_tests() {
  local name=$1 log status=0 counts
  shift
  say "$name"
  log=$(mktemp)
  # A test that hangs must not keep the others from being counted; all of them take about a minute.
  timeout 1500 "$ROOT/scripts/cargo" test --no-default-features --features ssr --no-fail-fast "$@" 2>&1 | tee "$log" || status=$?
  counts=$(awk '/^test result:/ { passed += $4; failed += $6 } END { print passed + 0, failed + 0 }' "$log")
  rm -f "$log"
  # shellcheck disable=SC2086 # two numbers
  count "$name" "$status" $counts
}
