# shellcheck shell=bash
# A PostgreSQL cluster of our own, owned by an unprivileged user. Sourced by scripts/services.

POSTGRES_USER=muelle
POSTGRES_PASSWORD=muelle-secret

# Starts PostgreSQL in folder $1 on the first free port from $2, or returns when it already runs.
postgres_start() {
  local dir=$1/postgres bin port
  bin=$(postgres_bin)
  if alive "$1/postgres.pid"; then return; fi
  if [ ! -d "$dir/data" ]; then
    mkdir -p "$dir"
    printf '%s\n' "$POSTGRES_PASSWORD" >"$dir/password"
    postgres_give "$dir"
    postgres_run "$bin/initdb" --pgdata "$dir/data" --username "$POSTGRES_USER" \
      --pwfile "$dir/password" --auth scram-sha-256 --encoding UTF8 --locale C.UTF-8 \
      --no-sync >"$1/postgres.log" 2>&1
  fi
  port=$(free_port "$(cat "$1/postgres.port" 2>/dev/null || echo "$2")")
  printf '%s\n' "$port" >"$1/postgres.port"
  # The data is thrown away, so nothing is gained by waiting for the disk.
  postgres_run setsid "$bin/postgres" -D "$dir/data" -c listen_addresses=127.0.0.1 -c port="$port" \
    -c unix_socket_directories= -c max_connections=300 \
    -c fsync=off -c full_page_writes=off -c synchronous_commit=off \
    -c autovacuum=off -c max_logical_replication_workers=0 \
    </dev/null >>"$1/postgres.log" 2>&1 &
  wait_for 30 "PostgreSQL (log: $1/postgres.log)" postgres_answers "$1"
  as_root head -n 1 "$dir/data/postmaster.pid" >"$1/postgres.pid"
}

# Stops PostgreSQL and removes its data.
postgres_remove() {
  # TERM would wait for every client; the data goes away anyway, so QUIT ends them at once.
  if alive "$1/postgres.pid"; then
    as_root kill -QUIT "$(cat "$1/postgres.pid")" 2>/dev/null || true
    wait_for 10 "PostgreSQL to end" test ! -d "/proc/$(cat "$1/postgres.pid")" || true
  fi
  end_by_pid_file "$1/postgres.pid" 10
  as_root rm -rf "$1/postgres"
  rm -f "$1/postgres.log" "$1/postgres.port"
}

# Prints the URL of the superuser, who may create databases.
postgres_url() {
  printf 'postgres://%s:%s@127.0.0.1:%s/postgres\n' \
    "$POSTGRES_USER" "$POSTGRES_PASSWORD" "$(cat "$1/postgres.port")"
}

postgres_answers() { "$(postgres_bin)/psql" --no-psqlrc -tAc 'select 1' "$(postgres_url "$1")"; }

# Prints the folder of the newest installed server.
postgres_bin() {
  local newest
  newest=$(find /usr/lib/postgresql -maxdepth 3 -name initdb 2>/dev/null | sort -V | tail -n 1)
  [ -n "$newest" ] || die "PostgreSQL is not installed; \`make test\` installs it"
  dirname "$newest"
}

# PostgreSQL refuses to run as root: then the user of Debian's package runs it.
postgres_run() {
  if [ "$(id -u)" -eq 0 ]; then
    setpriv --reuid postgres --regid postgres --init-groups -- "$@"
  else
    "$@"
  fi
}

# Hands a folder to the user that runs PostgreSQL.
postgres_give() {
  if [ "$(id -u)" -eq 0 ]; then chown -R postgres:postgres "$1"; fi
}
