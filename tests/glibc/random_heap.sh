#!/bin/sh
# random_heap.sh - the program that knows its own heap, run with the glibc of several Debians, as a
# 64-bit and a 32-bit process, dynamic and static: all that the tool tells equals its truth, with
# every symbol at hand and with none (stripped, and no file of that system found).
. fixtures/core.sh
. fixtures/roots.sh
command -v python3 >/dev/null || { echo "python3 is not installed"; exit 77; }
status=0 done=0
empty=$(new_folder)
trap 'rm -rf "$empty" "$work"' EXIT

check() { # TITLE [--nameless] CORE BINARY [OPTION...]
	printf '%s: ' "$1"
	shift
	names=
	[ "$1" != --nameless ] || { names=--nameless; shift; }
	core=$1 binary=$2
	shift 2
	python3 tests/oracle/check_random_heap.py $names "$HF" "$core" "$binary" "$work/truth" "$@"
}

# One run of a program, checked.
one_run() { # TITLE PROGRAM SEED OBJECTS THREADS
	root_dump "$root" "$work/dumped" "$work/$2" "$3" "$4" "$5" truth || exit 1
	if [ "$2" = program ]; then
		check "$1, seed $3, symbols" "$work/dumped" "$work/program" \
			--sysroot="$root" --debuginfo-path="$root/usr/lib/debug"
	else
		check "$1, seed $3, nothing" --nameless "$work/dumped" - \
			--sysroot="$empty" --debuginfo-path="$empty"
	fi
}

one_build() { # TITLE FLAG...
	title=$1
	shift
	if ! root_cc "$root" "$work/program" fixtures/random_heap.c "$@" 2>"$empty/cc"; then
		echo "$title: cannot be compiled there: $(head -n 1 "$empty/cc")"
		return
	fi
	strip -o "$work/stripped" "$work/program"
	for case in 1:300:0 2:2000:4 3:6000:8; do
		seed=${case%%:*} rest=${case#*:}
		for program in program stripped; do
			one_run "$title" $program "$seed" "${rest%%:*}" "${rest#*:}" || status=1
			done=$((done + 1))
			rm -f "$work/dumped"
		done
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
	one_build "glibc $version, i386, static" -m32 -static
	rm -rf "$work"
done
[ $done -gt 0 ] || { echo "no root with another glibc can be made here"; exit 77; }
exit $status
