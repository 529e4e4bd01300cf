# shellcheck shell=bash
# Hosts that playbooks run on: containers with sshd, Python, sudo and iproute2, from which Ansible has its
# facts about addresses. Sourced by scripts/services.
#
# The image is made from the distribution's own packages, once, and kept for the checksum of this file.

HOSTS_IMAGE=muelle/host:1
HOSTS_NUMBER=3
HOSTS_PASSWORD=anchor-chain-42

# Starts the hosts on the engine of folder $1, or returns when they already run.
hosts_start() {
  local dir=$1/hosts number addresses=()
  if [ -f "$dir/addresses" ]; then return; fi
  hosts_make_image "$1"
  mkdir -p "$dir"
  [ -f "$dir/key" ] || ssh-keygen -q -t ed25519 -N '' -C muelle-test -f "$dir/key"
  engine_docker "$1" network create --label muelle.test=true \
    --subnet "$(cat "$1/engine/subnet").100.0/24" muelle-hosts >/dev/null
  for number in $(seq "$HOSTS_NUMBER"); do
    addresses+=("$(cat "$1/engine/subnet").100.$((number + 10))")
    engine_docker "$1" run --detach --init --restart unless-stopped --label muelle.test=true \
      --name "muelle-host-$number" --hostname "host-$number" --network muelle-hosts --ip "${addresses[-1]}" \
      --env MUELLE_HOST_KEY="$(cat "$dir/key.pub")" "$HOSTS_IMAGE" >/dev/null
  done
  for number in "${addresses[@]}"; do
    wait_for 30 "sshd on $number" hosts_answers "$number"
  done
  (IFS=, && printf '%s\n' "${addresses[*]}") >"$dir/addresses"
}

hosts_answers() { (exec 3<>"/dev/tcp/$1/22") 2>/dev/null; }

# Prints the addresses of the hosts of folder $1, with commas between.
hosts_addresses() { cat "$1/hosts/addresses"; }

# Forgets the hosts of folder $1; their containers go with the engine.
hosts_remove() { rm -rf "${1:?}/hosts"; }

# Brings the image to the engine of folder $1.
hosts_make_image() {
  local tar
  tar=$CACHE/host-$(cksum <"$SCRIPTS/lib/hosts.sh" | cut -d' ' -f1).tar
  [ -f "$tar" ] || hosts_make_tar "$tar"
  engine_docker "$1" import --change 'CMD ["/usr/local/sbin/muelle-host"]' --change 'EXPOSE 22' \
    --change 'LABEL muelle.test=true' "$tar" "$HOSTS_IMAGE" >/dev/null
}

# Makes the content of the image: hosts_make_tar TAR
hosts_make_tar() {
  local work root
  say "Making the image of the test hosts (once; this takes a minute or two)"
  mkdir -p "$CACHE"
  work=$(mktemp -d /tmp/muelle-host-XXXX)
  root=$work/root
  # shellcheck source=/dev/null
  if ! as_root debootstrap --variant=minbase --include=openssh-server,python3,sudo,iproute2 \
    "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$root" >"$work/log" 2>&1; then
    tail -n 20 "$work/log" >&2
    as_root rm -rf "$work"
    return 1
  fi
  hosts_sshd_config | as_root tee "$root/etc/ssh/sshd_config" >/dev/null
  hosts_start_script | as_root tee "$root/usr/local/sbin/muelle-host" >/dev/null
  as_root chmod 755 "$root/usr/local/sbin/muelle-host"
  as_root chroot "$root" useradd --create-home --shell /bin/bash --groups sudo deploy
  printf 'deploy:%s\n' "$HOSTS_PASSWORD" | as_root chroot "$root" chpasswd
  # Keys are made by each host at its start, so that no two are the same.
  as_root sh -c "rm -rf '$root'/etc/ssh/ssh_host_* '$root'/var/cache/apt/* '$root'/var/lib/apt/lists/* \
    '$root'/usr/share/doc/* '$root'/usr/share/man/* '$root'/usr/share/locale/* '$root'/usr/share/i18n/*"
  as_root tar --create --numeric-owner --exclude='./dev/*' --exclude='./proc/*' --exclude='./sys/*' --directory "$root" . >"$work/tar"
  mv "$work/tar" "$1"
  as_root rm -rf "$work"
}

hosts_sshd_config() {
  cat <<'TXT'
PermitRootLogin prohibit-password
PasswordAuthentication yes
UsePAM no
UseDNS no
PrintMotd no
MaxStartups 200
MaxSessions 100
HostKey /etc/ssh/ssh_host_ed25519_key
Subsystem sftp internal-sftp
TXT
}

# The first program of a host: lets MUELLE_HOST_KEY in and serves SSH.
hosts_start_script() {
  cat <<'TXT'
#!/bin/sh
set -eu
mkdir -p -m 755 /run/sshd
[ -f /etc/ssh/ssh_host_ed25519_key ] || ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
for home in /root /home/deploy; do
  mkdir -p -m 700 "$home/.ssh"
  printf '%s\n' "${MUELLE_HOST_KEY:-}" >"$home/.ssh/authorized_keys"
done
chown -R deploy:deploy /home/deploy/.ssh
unset MUELLE_HOST_KEY
set -- -D -e
# Newer ones shut out for a while whoever got a password wrong, as tests do.
if /usr/sbin/sshd -t -o PerSourcePenalties=no 2>/dev/null; then set -- "$@" -o PerSourcePenalties=no; fi
exec /usr/sbin/sshd "$@"
TXT
}
