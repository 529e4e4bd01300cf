#!/usr/bin/env bash
# Becomes the Docker daemon inside fresh PID and mount namespaces: engine-inside.sh DIR BRIDGE SUBNET GROUP
set -euo pipefail
dir=$1 bridge=$2 subnet=$3 group=$4

# What the daemon and containerd keep at fixed places stays inside these namespaces.
mount --make-rprivate /
mount -t proc proc /proc
for place in /run/containerd /etc/docker; do
  mkdir -p "$place"
  mount -t tmpfs -o size=64m,mode=755 tmpfs "$place"
done

rm -f "$dir/daemon.pid" "$dir/docker.sock"
exec dockerd \
  --config-file "$dir/daemon.json" \
  --host "unix://$dir/docker.sock" --group "$group" \
  --data-root "$dir/data" --exec-root "$dir/exec" --pidfile "$dir/daemon.pid" \
  --bridge "$bridge" --fixed-cidr "$subnet.0.0/24" \
  --default-address-pool "base=$subnet.128.0/17,size=24" \
  --iptables=false --ip6tables=false \
  --exec-opt native.cgroupdriver=cgroupfs \
  --shutdown-timeout 5 \
  --label muelle.test=true
