# shellcheck shell=bash
# Image registries on loopback: an open one and one with a password. Sourced by scripts/services.

REGISTRY_USER=muelle
# Written in base64, three such letters show every alphabet that is not the right one.
REGISTRY_PASSWORD='muelle-~~~-secret'

# Starts a registry: registry_start DIR NAME FIRST_PORT [htpasswd]
registry_start() {
  local dir=$1/$2 port
  mkdir -p "$dir"
  if alive "$dir/pid"; then return; fi
  port=$(free_port "$(cat "$dir/port" 2>/dev/null || echo "$3")")
  printf '%s\n' "$port" >"$dir/port"
  registry_config "$dir" "$port" "${4:-}" >"$dir/config.yml"
  setsid docker-registry serve "$dir/config.yml" </dev/null >>"$dir/log" 2>&1 &
  printf '%s\n' $! >"$dir/pid"
  wait_for 20 "the registry (log: $dir/log)" port_answers "$port"
}

# Stops a registry and removes its images: registry_remove DIR NAME
registry_remove() {
  end_by_pid_file "$1/$2/pid" 10
  rm -rf "${1:?}/$2"
}

# Prints host:port of a registry: registry_address DIR NAME
registry_address() { printf 'localhost:%s\n' "$(cat "$1/$2/port")"; }

# Prints the configuration of a registry; with "htpasswd" it lets one user in.
registry_config() {
  local dir=$1 port=$2 access=$3
  printf 'version: 0.1\n'
  printf 'log: { level: warn }\n'
  printf 'storage: { filesystem: { rootdirectory: "%s/data" }, delete: { enabled: true } }\n' "$dir"
  printf 'http: { addr: "127.0.0.1:%s" }\n' "$port"
  if [ "$access" = htpasswd ]; then
    printf '%s\n' "$REGISTRY_PASSWORD" | htpasswd -inB "$REGISTRY_USER" >"$dir/htpasswd"
    printf 'auth: { htpasswd: { realm: muelle-test, path: "%s/htpasswd" } }\n' "$dir"
  fi
}
