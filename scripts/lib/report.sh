# shellcheck shell=bash
# Counts what passed and failed over all steps and keeps the first lines of each failure, so that
# the end of a long log tells the cause again. Sourced.

PASSED=0
FAILED=0
TROUBLE=()
DETAILS=()

# Runs a command that counts as one: step NAME COMMAND...
step() {
  local name=$1 log
  shift
  say "$name"
  log=$(mktemp)
  if "$@" 2>&1 | tee "$log" >&2; then
    PASSED=$((PASSED + 1))
  else
    FAILED=$((FAILED + 1))
    TROUBLE+=("$name")
    detail "$name" "$(excerpt "$log")"
  fi
  rm -f "$log"
}

# The same for a command that changes this shell, such as its environment; its words are not kept.
step_here() {
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

# Keeps lines for the end of the log: detail HEADING TEXT
detail() { DETAILS+=("$1"$'\n'"$2"); }

# Prints the errors of a log and what follows each, or its last lines where it names none.
excerpt() {
  local found
  found=$(grep --extended-regexp --after-context=4 '^(error|warning|Diff in|In .* line|.*: error )' "$1" | head -n 40 || true)
  if [ -n "$found" ]; then printf '%s\n' "$found"; else tail -n 15 "$1"; fi
}

# Prints the closing lines: what failed with its first lines, then the counts. Fails when anything failed.
close() {
  local one
  if [ ${#TROUBLE[@]} -gt 0 ]; then
    for one in "${DETAILS[@]}"; do
      printf '\n%s\n' "${one//$'\n'/$'\n'    }" >&2
    done
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
  if [ "$status" -ne 0 ]; then detail "$name" "$(rust_failures "$log")"; fi
  rm -f "$log"
  # shellcheck disable=SC2086 # two numbers
  count "$name" "$status" $counts
}

# Prints each failed test of a log of `cargo test` with the first lines that it said; where none
# failed, what else stopped the runner.
rust_failures() {
  local found
  found=$(awk '
    /^---- .* stdout ----$/ { print $2; left = 8; next }
    /^(failures:|test result:)/ { left = 0 }
    left > 0 && NF { print "    " substr($0, 1, 300); left-- }
  ' "$1")
  if [ -n "$found" ]; then printf '%s\n' "$found"; else excerpt "$1"; fi
}
