#!/bin/sh
# corrupt.sh - the heaps that one bug broke, with the glibc of several Debians: each kind that this
# glibc can have is named rightly, at the right place.
. fixtures/core.sh
. fixtures/roots.sh
command -v python3 >/dev/null || { echo "python3 is not installed"; exit 77; }
status=0 done=0
trap 'rm -rf "$work"' EXIT

for suite in ${HF_SUITES:-bullseye bookworm trixie sid}; do
	root_prefix=$(prefix_of $suite)
	root=$(root_of $suite) || { [ $? -eq 77 ] && continue; exit 1; }
	version=$(root_libc_version "$root")
	work=$(mktemp -d "$root/tmp/hf.XXXXXX") || exit 2
	root_cc "$root" "$work/program" fixtures/corrupt.c || exit 1
	kinds=0
	for name in $("$FIX/corrupt" --list); do
		root_dump "$root" "$work/dumped" "$work/program" "$name" "$name" 2>/dev/null ||
			continue # not with this glibc
		printf '%s, %s: ' "$version" "$name"
		python3 tests/oracle/check_corrupt.py "$HF" "$work/dumped" "$work/$name" \
			"$work/program" --sysroot="$root" \
			--debuginfo-path="$root/usr/lib/debug" || status=1
		case $name in
		tcache-link* | tcache-double* | tcache-counter | tcache-size | fastbin* | abort-*)
			# Told by structure, and by malloc's words, alone.
			printf '%s, %s, no symbols: ' "$version" "$name"
			python3 tests/oracle/check_corrupt.py --nameless "$HF" "$work/dumped" \
				"$work/$name" --sysroot="$work/none" \
				--debuginfo-path="$work/none" || status=1 ;;
		esac
		kinds=$((kinds + 1))
		rm -f "$work/dumped"
	done
	echo "$version: $kinds kinds"
	[ $kinds -ge 20 ] || { echo "WRONG: only $kinds kinds"; status=1; }
	done=$((done + 1))
	rm -rf "$work"
done
[ $done -gt 0 ] || { echo "no root with another glibc can be made here"; exit 77; }
exit $status
