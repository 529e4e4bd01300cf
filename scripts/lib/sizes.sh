# shellcheck shell=bash
# The size of the site folder. Sourced by scripts/release and scripts/bench.

FIRST_VISIT_LIMIT_BYTES=450000

kilobytes() { printf '%s\n' $((($1 + 500) / 1000)); }

# Prints what a first visit loads, file by file, beside what was promised. Left out are the parts of the program
# (split_*, chunk_*) and what stands in snippets/ and editor/: pages load them when they are opened.
print_sizes() {
  local site=$1 file raw small total=0
  printf '%10s %10s  %s\n' bytes brotli file
  while IFS= read -r -d '' file; do
    raw=$(stat -c %s "$file")
    small=$raw
    if [ -f "$file.br" ]; then small=$(stat -c %s "$file.br"); fi
    # Fonts are compressed already.
    if [ "$small" -gt "$raw" ]; then small=$raw; fi
    total=$((total + small))
    printf '%10s %10s  %s\n' "$raw" "$small" "${file#"$site"/}"
  done < <(find "$site" -type f \( -name '*.wasm' -o -name '*.js' -o -name '*.css' -o -name '*.woff2' \
    -o -name '*.svg' -o -name '*.ico' \) -not -path '*/snippets/*' -not -path '*/editor/*' \
    -not -name 'split_*' -not -name 'chunk_*' -print0 | sort -z)
  printf 'first visit: %s kB with Brotli (promised: at most %s kB)\n' \
    "$(kilobytes "$total")" "$(kilobytes "$FIRST_VISIT_LIMIT_BYTES")"
  if [ "$total" -gt "$FIRST_VISIT_LIMIT_BYTES" ]; then say "A first visit loads more than was promised (S11)"; fi
}
