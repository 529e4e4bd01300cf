# shellcheck shell=bash
# Brings what is missing on a fresh Debian or Ubuntu, and nothing twice. Sourced.
#
# Everything comes from the distribution's packages, crates.io, npm or rustup; nothing is
# downloaded from anywhere else, and what is already there in the right version stays.
# No `grep -q` behind a pipe: it ends first, and under pipefail its writer's end is a failure.

CARGO_LEPTOS_VERSION=0.3.10
BINARYEN_VERSION=132.0.0

# Installs the packages whose command is missing: setup_packages COMMAND:PACKAGE...
setup_packages() {
  local pair missing=()
  for pair in "$@"; do
    have "${pair%%:*}" || missing+=("${pair#*:}")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  have apt-get || die "please install: ${missing[*]} (this script knows only apt)"
  say "Installing packages: ${missing[*]}"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
}

# Makes the compiler of rust-toolchain.toml ready, with its parts and the browser's target.
setup_rust() {
  local wanted default part
  have rustup || die "Rust is missing. Install rustup (https://rustup.rs, or your distribution's package) and run this again."
  setup_packages cc:build-essential pkg-config:pkg-config
  wanted=$(sed -n 's/^channel = "\(.*\)"/\1/p' "$ROOT/rust-toolchain.toml")
  default=$(rustup default 2>/dev/null | cut -d' ' -f1 || true)
  if ! rustup run "$wanted" rustc --version >/dev/null 2>&1; then
    if [ -n "$default" ] && [ "$(rustup run "$default" rustc --version | cut -d' ' -f2)" = "$wanted" ]; then
      # The same compiler under another name ("stable") needs no second download.
      export RUSTUP_TOOLCHAIN=$default
    else
      say "Installing Rust $wanted"
      rustup toolchain install "$wanted" --profile minimal
    fi
  fi
  local toolchain=${RUSTUP_TOOLCHAIN:-$wanted}
  for part in rustfmt clippy; do
    rustup component list --toolchain "$toolchain" --installed | grep "^$part" >/dev/null ||
      rustup component add --toolchain "$toolchain" "$part"
  done
  rustup target list --toolchain "$toolchain" --installed | grep -x wasm32-unknown-unknown >/dev/null ||
    rustup target add --toolchain "$toolchain" wasm32-unknown-unknown
}

# Installs cargo-leptos and the wasm-bindgen that fits the crate, unless the right ones are there.
setup_cargo_leptos() {
  local bindgen
  bindgen=$(sed -n 's/^wasm-bindgen = .*version = "=\([0-9.]*\)".*/\1/p' "$ROOT/Cargo.toml")
  [ -n "$bindgen" ] || die "Cargo.toml does not pin wasm-bindgen with \"=\""
  if [ "$(cargo-leptos --version 2>/dev/null)" != "cargo-leptos $CARGO_LEPTOS_VERSION" ]; then
    # Its TLS library is built from source, which needs the whole of Perl.
    setup_packages perl:perl make:make
    setup_crate 0 cargo-leptos "$CARGO_LEPTOS_VERSION" --locked --no-default-features --features no_downloads
  fi
  if [ "$(wasm-bindgen --version 2>/dev/null)" != "wasm-bindgen $bindgen" ]; then
    setup_crate 1 wasm-bindgen-cli "$bindgen"
  fi
}

# Installs a tool from crates.io: setup_crate LEVEL CRATE VERSION [OPTION OF cargo install...]
#
# It is optimised lightly, or not at all: a tool that runs for seconds is not worth the many minutes of
# a full release build. What wasm-bindgen does takes twenty seconds longer at level 0, on every build.
setup_crate() {
  local level=$1 crate=$2 version=$3
  shift 3
  say "Building $crate $version (once; this takes some minutes)"
  env -u RUSTFLAGS CARGO_TARGET_DIR="$CACHE/tools-target" CARGO_PROFILE_RELEASE_OPT_LEVEL="$level" \
    CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
    cargo install --quiet --force --root "$CACHE/tools" "$crate" --version "=$version" "$@"
  rm -rf "$CACHE/tools-target"
}

# Brings wasm-opt from npm. Debian 12's confuses the two tables of a program, which then does not start.
setup_wasm_opt() {
  [ "$(wasm-opt --version 2>/dev/null)" != "wasm-opt version ${BINARYEN_VERSION%%.*}" ] || return 0
  setup_packages node:nodejs npm:npm
  say "Installing binaryen $BINARYEN_VERSION"
  npm install --prefix "$CACHE/tools/binaryen" --no-audit --no-fund --loglevel=error "binaryen@$BINARYEN_VERSION"
  mkdir -p "$CACHE/tools/bin"
  ln -sf ../binaryen/node_modules/.bin/wasm-opt "$CACHE/tools/bin/wasm-opt"
}

# Brings the editor's packages and bundles them into public/editor, from where the site folder gets them.
setup_web() {
  local folder=$ROOT/src/provisioning/ui/editor bundle=$ROOT/public/editor/editor.js
  setup_packages node:nodejs npm:npm
  if [ "$folder/package-lock.json" -nt "$folder/node_modules/.package-lock.json" ]; then
    say "Installing the editor's packages"
    (cd "$folder" && npm ci --no-audit --no-fund --loglevel=error)
  fi
  if [ "$folder/editor.js" -nt "$bundle" ] || [ "$folder/node_modules/.package-lock.json" -nt "$bundle" ]; then
    "$folder/node_modules/.bin/esbuild" "$folder/editor.js" --bundle --minify --format=iife --target=es2022 \
      --legal-comments=none --log-level=warning --outfile="$bundle"
    cp "$folder/node_modules/codemirror/LICENSE" "${bundle%/*}/LICENSE.txt"
  fi
}

# Brings what scripts/services starts. Debian starts Docker and PostgreSQL as services when they
# are installed, and SSH; the tests use none of them, but private ones.
setup_services() {
  setup_packages dockerd:docker.io docker-registry:docker-registry htpasswd:apache2-utils \
    busybox:busybox-static ip:iproute2 unshare:util-linux debootstrap:debootstrap ssh-keygen:openssh-client sshd:openssh-server
  setup_packages docker:docker-cli
  compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || setup_packages initdb:postgresql
}

# Brings Node.js, a browser, and the browser tests' packages.
setup_browser() {
  setup_packages node:nodejs npm:npm
  [ "$(node --print 'process.versions.node.split(".")[0]')" -ge 18 ] || die "the browser tests need Node.js 18 or newer"
  if ! find_browser >/dev/null; then
    if apt-cache policy chromium 2>/dev/null | grep 'Candidate: [0-9]' >/dev/null; then
      setup_packages chromium:chromium
    else
      setup_packages chromium:chromium-browser
    fi
  fi
  if [ "$ROOT/end2end/package-lock.json" -nt "$ROOT/end2end/node_modules/.package-lock.json" ]; then
    say "Installing the browser tests' packages"
    (cd "$ROOT/end2end" && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --no-audit --no-fund --loglevel=error)
  fi
}

# Prints the path of a Chromium or Chrome; MUELLE_BROWSER names another one.
find_browser() {
  local name
  if [ -n "${MUELLE_BROWSER:-}" ]; then
    printf '%s\n' "$MUELLE_BROWSER"
    return
  fi
  for name in chromium chromium-browser google-chrome-stable google-chrome; do
    command -v "$name" && return
  done
  return 1
}

# Brings what makes a virtual environment of Python.
setup_venv() {
  python3 -c 'import ensurepip, venv' 2>/dev/null && return
  say "Installing packages: python3-venv"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends python3-venv >/dev/null
}

# Brings the API fuzzer into a virtual environment that is kept for its list of versions.
setup_fuzzer() {
  setup_packages python3:python3
  setup_venv
  [ ! -x "$(fuzzer)" ] || return 0
  say "Installing the API fuzzer"
  local folder
  folder=$(dirname "$(dirname "$(fuzzer)")")
  rm -rf "$folder"
  python3 -m venv "$folder"
  # Half an environment would look like a whole one the next time.
  "$folder/bin/pip" install --quiet --disable-pip-version-check --requirement "$ROOT/tests/fuzz/requirements.txt" ||
    { rm -rf "$folder" && return 1; }
}

# Prints the path of the API fuzzer in the right version.
fuzzer() {
  printf '%s/fuzzer-%s/bin/schemathesis\n' "$CACHE" "$(cksum <"$ROOT/tests/fuzz/requirements.txt" | cut -d' ' -f1)"
}
