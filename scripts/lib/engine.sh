# shellcheck shell=bash
# A private Docker Engine with its own data, bridge and processes. Sourced by scripts/services.
#
# The daemon runs in PID and mount namespaces of its own, so that ending it ends every shim and
# container with it and leaves no mount behind. It writes no iptables rule, because those are
# shared with an engine the machine may already have: published ports go through docker-proxy.

# Starts the engine in folder $1, or returns when it already runs.
engine_start() {
  local dir=$1/engine
  mkdir -p "$dir"
  if alive "$dir/unshare.pid"; then return; fi
  if ! [ -d "/sys/class/net/$(cat "$dir/bridge" 2>/dev/null || echo none)" ]; then
    engine_make_bridge "$dir"
  fi
  printf '{}\n' >"$dir/daemon.json"

  as_root setsid unshare --pid --mount --fork --kill-child \
    "$SCRIPTS/lib/engine-inside.sh" "$dir" "$(cat "$dir/bridge")" "$(cat "$dir/subnet")" "$(id -g)" \
    </dev/null >>"$dir/log" 2>&1 &
  printf '%s\n' $! >"$dir/unshare.pid"
  if ! wait_for 60 "the engine (log: $dir/log)" engine_answers "$1"; then
    tail -n 20 "$dir/log" >&2
    return 1
  fi
  engine_daemon_pid "$1" >"$dir/dockerd.pid"
}

# Stops the daemon in folder $1; its data stays for the next start.
engine_stop() {
  local dir=$1/engine
  alive "$dir/unshare.pid" || return 0
  as_root kill -CONT "$(cat "$dir/dockerd.pid")" 2>/dev/null || true
  end_by_pid_file "$dir/dockerd.pid" 30
  end_by_pid_file "$dir/unshare.pid" 5
  rm -f "$dir/docker.sock"
}

# Stops the engine and removes its data, bridge and networks.
engine_remove() {
  local dir=$1/engine
  [ -d "$dir" ] || return 0
  if engine_answers "$1"; then
    engine_docker "$1" ps --all --quiet | xargs --no-run-if-empty env \
      DOCKER_HOST="unix://$dir/docker.sock" docker rm --force --volumes >/dev/null || true
    engine_docker "$1" network prune --force >/dev/null || true
  fi
  engine_stop "$1"
  if [ -f "$dir/bridge" ]; then
    as_root ip link delete "$(cat "$dir/bridge")" 2>/dev/null || true
  fi
  as_root rm -rf "$dir"
}

# Stops the daemon's clock, as a hung engine would look: it accepts and never answers.
engine_freeze() { as_root kill -STOP "$(cat "$1/engine/dockerd.pid")"; }

# Lets a frozen daemon go on.
engine_thaw() { as_root kill -CONT "$(cat "$1/engine/dockerd.pid")"; }

# Ends the daemon as a crash would.
engine_kill() {
  local dir=$1/engine
  as_root kill -KILL "$(cat "$dir/dockerd.pid")"
  wait_for 10 "the engine to be gone" test ! -d "/proc/$(cat "$dir/unshare.pid")"
  rm -f "$dir/dockerd.pid" "$dir/unshare.pid"
}

# Runs the docker client against the engine of folder $1, with no configuration of the user's.
engine_docker() {
  local dir=$1/engine
  shift
  mkdir -p "$dir/client"
  env -u DOCKER_CONTEXT -u DOCKER_TLS_VERIFY -u DOCKER_CERT_PATH \
    DOCKER_CONFIG="$dir/client" DOCKER_HOST="unix://$dir/docker.sock" docker "$@"
}

engine_answers() { engine_docker "$1" version >/dev/null 2>&1; }

# Prints the daemon's pid as the machine sees it: the process right below unshare (and sudo).
engine_daemon_pid() {
  local pid
  pid=$(cat "$1/engine/unshare.pid")
  while [ "$(cat "/proc/$pid/comm")" != dockerd ]; do
    pid=$(awk '{ print $1 }' "/proc/$pid/task/$pid/children")
    [ -n "$pid" ] || return 1
  done
  printf '%s\n' "$pid"
}

# Makes a bridge with the first free network of 10.190.0.0/16 to 10.249.0.0/16. Making a bridge
# fails when its name is taken, so two engines that start together cannot choose the same one.
engine_make_bridge() {
  local dir=$1 number
  for number in $(seq 190 249); do
    # No `grep -q` here: it ends first, and under pipefail its writer's end is a failure.
    ip -4 -oneline address | grep " 10\.$number\." >/dev/null && continue
    as_root ip link add "muelle$number" type bridge 2>/dev/null || continue
    as_root ip address add "10.$number.0.1/24" dev "muelle$number"
    as_root ip link set "muelle$number" up
    printf '%s\n' "muelle$number" >"$dir/bridge"
    printf '%s\n' "10.$number" >"$dir/subnet"
    return
  done
  die "no free network for a private engine between 10.190.0.0 and 10.249.0.0"
}
