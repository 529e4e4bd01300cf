# shellcheck shell=bash
# Words that every script here uses. Sourced, never run.

# The project's folder, and where tools and artefacts that outlive a checkout are kept.
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/muelle

# Tells the person what happens now.
say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }

# Ends the script with a sentence.
die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# True when a command exists, also where plain users have no sbin in their path.
have() { command -v "$1" >/dev/null 2>&1; }
export PATH="$CACHE/tools/bin:$PATH:/usr/local/sbin:/usr/sbin:/sbin"

# Runs a command as root: as it is, or through sudo.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif have sudo; then
    sudo "$@"
  else
    die "this needs root, and there is no sudo: $*"
  fi
}

# Waits until a command succeeds: wait_for SECONDS "what for" COMMAND...
wait_for() {
  local seconds=$1 what=$2 deadline
  shift 2
  deadline=$((SECONDS + seconds))
  until "$@" >/dev/null 2>&1; do
    if [ "$SECONDS" -ge "$deadline" ]; then
      printf 'error: waited %s s for %s\n' "$seconds" "$what" >&2
      return 1
    fi
    sleep 0.1
  done
}

# True when something listens on a port of 127.0.0.1.
port_answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Prints the first port from $1 on that nothing listens on.
free_port() {
  local port=$1
  while port_answers "$port"; do port=$((port + 1)); done
  printf '%s\n' "$port"
}

# True when the process named in a pid file lives.
alive() {
  local pid
  pid=$(cat "$1" 2>/dev/null) || return 1
  [ -n "$pid" ] && [ -d "/proc/$pid" ]
}

# Ends the process named in a pid file: TERM first, KILL after $2 seconds (default 20).
end_by_pid_file() {
  local file=$1 seconds=${2:-20} pid
  if alive "$file"; then
    pid=$(cat "$file")
    as_root kill -TERM "$pid" 2>/dev/null || true
    if ! wait_for "$seconds" "process $pid to end" test ! -d "/proc/$pid"; then
      as_root kill -KILL "$pid" 2>/dev/null || true
      wait_for 5 "process $pid to be killed" test ! -d "/proc/$pid" || true
    fi
  fi
  rm -f "$file"
}

# Prints the folder that cargo builds into.
target_dir() {
  (cd "$ROOT" && cargo metadata --no-deps --format-version 1) |
    grep -o '"target_directory":"[^"]*"' | cut -d'"' -f4
}
