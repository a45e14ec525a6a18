#!/bin/sh
# mutate.sh - HF_MUTATIONS (300) cores with flipped bits and overwritten words: the small ones of the
# corpus, and a fresh one with its program, so that DWARF and symbols are in play.
. fixtures/core.sh
command -v python3 >/dev/null || { echo "python3 is not installed"; exit 77; }
command -v zstd >/dev/null || { echo "zstd is not installed"; exit 77; }
work=$(new_folder)
trap 'rm -rf "$work"' EXIT
for file in tests/fuzz/corpus/cores/*.zst; do
	zstd -q -d -c "$file" >"$work/$(basename "$file" .zst)"
done
cores=$(echo "$work"/*)
dump "$work/fresh" "$FIX/leak_cases" "$work/truth" || exit 1
# shellcheck disable=SC2086
python3 tests/fuzz/mutate.py "$HF" "${HF_MUTATIONS:-300}" "${HF_SEED:-1}" $cores \
	"$work/fresh:$FIX/leak_cases"
