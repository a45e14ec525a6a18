#!/bin/sh
# qemu.sh - the program that knows its own heap as a process of other machines: aarch64, ppc64le,
# s390x (big endian) and riscv64, with the glibc that Debian builds for them, run by qemu-user.
# qemu writes the cores, without NT_FILE and thread pointers, so a thread's TLS is told as memory only.
# For riscv64 it writes none: fixtures/qemu_core.py puts one together from the process itself.
. fixtures/core.sh
command -v python3 >/dev/null || { echo "python3 is not installed"; exit 77; }
status=0 done=0
work=$(new_folder)
# The folder of a static program is a string in its heap, and the last word of it might be an address
# there: "/tmp/tmp.ABCDEFG" "cLL" is 0x4c4c63.
programs=$(mktemp -d --suffix=zzz "${TMPDIR:-/tmp}/tmp.XXXXXXX") || exit 2
trap 'rm -rf "$work" "$programs"' EXIT
mkdir "$work/empty"

# qemu writes the guest's core to the working folder; the host's, of qemu itself, is kept away.
qemu_dump() { # CORE QEMU LIBRARIES PROGRAM ARG...
	to=$1 qemu=$2 libraries=$3
	shift 3
	case $qemu in
	*riscv64*)
		python3 fixtures/qemu_core.py "$to" "$qemu" -L "$libraries" "$@"
		return ;;
	esac
	mkdir "$work/run" || return 1
	(cd "$work/run" && ulimit -c unlimited && exec "$qemu" -L "$libraries" "$@") >/dev/null 2>&1
	mv "$work"/run/qemu_*.core "$to"
	found=$?
	rm -rf "$work/run"
	return $found
}

check() { # TITLE CORE BINARY TRUTH SYSROOT
	printf '%s: ' "$1"
	python3 tests/oracle/check_random_heap.py --nameless "$HF" "$2" "$3" "$4" --sysroot="$5" ||
		status=1
}

for target in aarch64:aarch64 powerpc64le:ppc64le s390x:s390x riscv64:riscv64; do
	machine=${target%:*}
	qemu=qemu-${target#*:}-static
	for need in "$machine-linux-gnu-gcc" "$qemu"; do
		command -v "$need" >/dev/null || { echo "$need is not installed"; continue 2; }
	done
	for flag in "" -static; do
		"$machine-linux-gnu-gcc" -std=gnu11 -D_GNU_SOURCE -g -O1 -fno-builtin-malloc -I. \
			-pthread $flag -o "$programs/program" fixtures/random_heap.c || exit 1
		"$machine-linux-gnu-strip" -o "$programs/stripped" "$programs/program"
		for case in 1:300:0 2:2000:3 3:6000:8; do
			seed=${case%%:*} rest=${case#*:}
			title="$machine${flag:+, static}, seed $seed"
			for program in program stripped; do
				qemu_dump "$work/dumped" "$qemu" "/usr/$machine-linux-gnu" \
					"$programs/$program" "$seed" "${rest%%:*}" "${rest#*:}" \
					"$work/truth" || exit 1
				if [ $program = program ]; then
					check "$title, symbols" "$work/dumped" "$programs/program" \
						"$work/truth" "/usr/$machine-linux-gnu"
				else
					mv "$programs/stripped" "$work/hidden"
					check "$title, nothing" "$work/dumped" - "$work/truth" \
						"$work/empty"
					mv "$work/hidden" "$programs/stripped"
				fi
				done=$((done + 1))
				rm -f "$work/dumped"
			done
		done
	done
done
[ $done -gt 0 ] || { echo "no cross compiler and qemu-user are installed"; exit 77; }
exit $status
