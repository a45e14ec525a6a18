#!/bin/sh
# mallinfo.sh - `arenas` equals mallinfo2(3), or mallinfo(3) before 2.33, and malloc_info(3) of the
# same moment, with the glibc of several Debians, as a 64-bit and a 32-bit process.
. fixtures/core.sh
. fixtures/roots.sh
command -v python3 >/dev/null || { echo "python3 is not installed"; exit 77; }
status=0 done=0
trap 'rm -rf "$work"' EXIT

one_build() { # TITLE FLAG...
	title=$1
	shift
	if ! root_cc "$root" "$work/program" fixtures/mallinfo.c "$@" 2>"$work/cc"; then
		echo "$title: cannot be compiled there: $(head -n 1 "$work/cc")"
		return
	fi
	for threads in 0 1 5 12; do
		root_dump "$root" "$work/dumped" "$work/program" $threads truth || exit 1
		printf '%s, %s threads: ' "$title" $threads
		python3 tests/oracle/check_arenas.py "$HF" "$work/dumped" "$work/program" \
			"$work/truth" --sysroot="$root" \
			--debuginfo-path="$root/usr/lib/debug" || status=1
		done=$((done + 1))
		rm -f "$work/dumped"
	done
}

for suite in ${HF_SUITES:-bullseye bookworm trixie sid}; do
	root_prefix=$(prefix_of $suite)
	root=$(root_of $suite) || { [ $? -eq 77 ] && continue; exit 1; }
	version=$(root_libc_version "$root")
	work=$(mktemp -d "$root/tmp/hf.XXXXXX") || exit 2
	one_build "glibc $version"
	one_build "glibc $version, static" -static
	one_build "glibc $version, i386" -m32
	rm -rf "$work"
done
[ $done -gt 0 ] || { echo "no root with another glibc can be made here"; exit 77; }
exit $status
