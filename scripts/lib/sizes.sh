# shellcheck shell=bash
# The size of the site folder. Sourced by scripts/release and scripts/bench.

FIRST_VISIT_LIMIT_BYTES=450000

kilobytes() { printf '%s\n' $((($1 + 500) / 1000)); }

# What a file weighs on its way: compressed, where that made it smaller. Fonts are compressed already.
weight() {
  local raw small
  raw=$(stat -c %s "$1")
  small=$(stat -c %s "$1.br" 2>/dev/null || echo "$raw")
  echo $((small < raw ? small : raw))
}

# The files that a page of one part of the program loads besides: part_files SITE PART
part_files() {
  grep -oE "\"$2\":\[[^]]*\]" "$1"/pkg/__wasm_split_manifest.*.json | grep -oE '(chunk|split)_[^"]+' |
    sed "s|.*|$1/pkg/&.wasm|"
}

# Prints what a first visit (sign-in and home) loads, file by file, beside what was promised, and what the list of
# containers adds. The parts of the program (split_*, chunk_*) and what stands in snippets/ and editor/ come when
# a page of theirs is opened.
print_sizes() {
  local site=$1 file small total=0 containers=0
  printf '%10s %10s  %s\n' bytes brotli file
  while IFS= read -r -d '' file; do
    small=$(weight "$file")
    total=$((total + small))
    printf '%10s %10s  %s\n' "$(stat -c %s "$file")" "$small" "${file#"$site"/}"
  done < <(find "$site" -type f \( -name '*.wasm' -o -name '*.js' -o -name '*.css' -o -name '*.woff2' \
    -o -name '*.svg' -o -name '*.ico' \) -not -path '*/snippets/*' -not -path '*/editor/*' \
    -not -name 'split_*' -not -name 'chunk_*' -print0 | sort -z)
  while IFS= read -r file; do containers=$((containers + $(weight "$file"))); done < <(part_files "$site" start)
  printf 'first visit: %s kB with Brotli (promised: at most %s kB); the list of containers: %s kB more\n' \
    "$(kilobytes "$total")" "$(kilobytes "$FIRST_VISIT_LIMIT_BYTES")" "$(kilobytes "$containers")"
  if [ "$total" -gt "$FIRST_VISIT_LIMIT_BYTES" ]; then say "A first visit loads more than was promised (S11)"; fi
}
