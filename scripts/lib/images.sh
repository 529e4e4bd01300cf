# shellcheck shell=bash
# Small images made on the spot, so that no public registry is needed. Sourced by scripts/services.

# Makes the test images on the engine of folder $1 and pushes them to both registries.
images_make() {
  local dir=$1 open private
  open=$(registry_address "$dir" registry)
  private=$(registry_address "$dir" private-registry)
  if [ -f "$dir/images-made" ]; then return; fi

  images_import_busybox "$dir" "$open/muelle/busybox:1"
  # Other tags have content of their own, so that removing and pruning one leaves the other.
  images_add "$dir" "$open/muelle/busybox:1" "$open/muelle/busybox:2" 'echo 2 >/version'
  images_add "$dir" "$open/muelle/busybox:1" "$open/muelle/web:1" \
    'mkdir -p /www && echo "Hello from Muelle" >/www/index.html' \
    --change 'CMD ["httpd", "-f", "-p", "8080", "-h", "/www"]' --change 'EXPOSE 8080' \
    --change 'HEALTHCHECK --interval=2s --retries=2 CMD ["wget", "-qO-", "http://127.0.0.1:8080/"]'
  images_add_layers "$dir" "$open/muelle/busybox:1" "$open/muelle/big:1" 6 4
  engine_docker "$dir" tag "$open/muelle/busybox:1" "$private/muelle/busybox:1"

  printf '%s\n' "$REGISTRY_PASSWORD" |
    engine_docker "$dir" login --username "$REGISTRY_USER" --password-stdin "$private" >/dev/null 2>&1
  local image
  for image in "$open/muelle/"{busybox:1,busybox:2,web:1,big:1} "$private/muelle/busybox:1"; do
    engine_docker "$dir" push --quiet "$image" >/dev/null
  done
  engine_docker "$dir" logout "$private" >/dev/null 2>&1
  # Only what a pull must bring goes: the rest stays, because most tests start with an image.
  engine_docker "$dir" rmi "$open/muelle/big:1" "$private/muelle/busybox:1" >/dev/null
  touch "$dir/images-made"
}

# Makes a one-layer image from the machine's static busybox: images_import_busybox DIR IMAGE
images_import_busybox() {
  local root=$1/busybox-root busybox applet
  busybox=$(command -v busybox)
  mkdir -p "$root"/{bin,dev,etc,proc,root,sys,tmp,var}
  chmod 1777 "$root/tmp"
  cp "$busybox" "$root/bin/busybox"
  for applet in $("$busybox" --list); do
    [ "$applet" = busybox ] || ln -sf busybox "$root/bin/$applet"
  done
  printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/tmp:/bin/sh\n' >"$root/etc/passwd"
  printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
  tar --create --owner=0 --group=0 --numeric-owner --directory "$root" . |
    engine_docker "$1" import --change 'ENV PATH=/bin' --change 'CMD ["sh"]' \
      --change 'LABEL muelle.test=true' - "$2" >/dev/null
  rm -rf "$root"
}

# Adds one layer by a command: images_add DIR FROM TO COMMAND [OPTION OF docker commit...]
images_add() {
  local dir=$1 from=$2 to=$3 command=$4 container
  shift 4
  container=$(engine_docker "$dir" create --network none "$from" sh -c "$command")
  engine_docker "$dir" start --attach "$container" >/dev/null
  # The command of the container would become the image's own.
  engine_docker "$dir" commit --change 'CMD ["sh"]' "$@" "$container" "$to" >/dev/null
  engine_docker "$dir" rm "$container" >/dev/null
}

# Makes an image of several layers that do not compress: images_add_layers DIR FROM TO LAYERS MEGABYTES
images_add_layers() {
  local dir=$1 from=$2 to=$3 layers=$4 megabytes=$5 layer
  for layer in $(seq "$layers"); do
    images_add "$dir" "$from" "$to" \
      "mkdir -p /data && dd if=/dev/urandom of=/data/$layer bs=1M count=$megabytes 2>/dev/null"
    from=$to
  done
  engine_docker "$dir" image prune --force >/dev/null
}
