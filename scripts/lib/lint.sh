# shellcheck shell=bash
# The lints, one function each. Sourced by scripts/check and scripts/test.

lint_format() { "$ROOT/scripts/cargo" fmt --check; }

lint_server() {
  "$ROOT/scripts/cargo" clippy --no-default-features --features ssr --all-targets -- -D warnings
}

lint_browser() {
  "$ROOT/scripts/cargo" clippy --no-default-features --features hydrate --lib \
    --target wasm32-unknown-unknown --target-dir "$(target_dir)/front" -- -D warnings
}

# Licences, sources and bans; the advisory database is left out because it is a download of its own.
lint_dependencies() { cargo deny --log-level error check bans licenses sources; }

lint_scripts() {
  (cd "$ROOT" && shellcheck --external-sources scripts/{bench,cargo,check,fuzz,release,run,services,test} scripts/lib/*.sh .ci/run)
}
