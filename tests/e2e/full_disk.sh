#!/bin/sh
# full_disk.sh - a full disk is an error that names the file, with status 2, and leaves what was there
# before: no half file. The report itself needs no disk.
if [ -z "$HF_OWN_MOUNTS" ]; then
	for how in -m -rm; do
		unshare $how mount -t tmpfs tmpfs /mnt 2>/dev/null &&
			HF_OWN_MOUNTS=1 exec unshare $how sh "$0"
	done
	echo "no mounts of one's own here"
	exit 77
fi
. fixtures/core.sh
work=$(new_folder)
disk=$work/disk
mkdir "$disk"
trap 'umount "$disk" 2>/dev/null; rm -rf "$work"' EXIT
status=0

wrong() {
	echo "WRONG: $*"
	status=1
}

disk() { # SIZE: a new one
	umount "$disk" 2>/dev/null
	mount -t tmpfs -o "size=$1" tmpfs "$disk" || exit 1
}

empty() { # WHAT
	[ -z "$(ls -A "$disk")" ] || wrong "$1 left $(ls -A "$disk")"
}

refused() { # WORDS...: fails with status 2, tells of the file and of space, and leaves the old one
	rm -rf "${disk:?}"/*
	for old in '' old; do
		[ -z "$old" ] || echo "$old" >"$disk/file"
		cat /dev/zero >"$disk/filler" 2>/dev/null
		"$HF" "$@" -q -o "$disk/file" >"$work/out" 2>"$work/message"
		got=$?
		[ $got = 2 ] || wrong "$*: status $got"
		grep -q "disk/file.*: .*\(No space left on device\|disk is full\)" "$work/message" ||
			wrong "$*: $(cat "$work/message")"
		[ "$(cat "$disk/file" 2>/dev/null)" = "$old" ] || wrong "$*: half a file"
		rm -f "$disk/file" "$disk/filler"
		empty "$*"
	done
}

# Objects enough for a few hundred KiB of anything.
dump "$work/core" "$FIX/bench_heap" random 20000 2>/dev/null || exit 1
set -- "$work/core" "$FIX/bench_heap"
"$HF" report -q --no-index "$@" >"$work/expected" || wrong "no report"

disk 64k
for format in heapsnapshot hprof sqlite ndjson pprof speedscope folded dot; do
	refused export --no-index --format=$format "$@"
done
for format in '' --json --csv --html --sarif --openmetrics --junit; do
	# shellcheck disable=SC2086
	refused report --no-index $format "$@"
done
refused query --no-index --csv "$@" 'SELECT * FROM objects'
refused diff --no-index "$work/core" "$work/core"

# What is printed and does not arrive.
for command in report 'report --json' 'query --csv' 'export --format=ndjson' 'report --sarif'; do
	sql=
	[ "$command" != 'query --csv' ] || sql='SELECT * FROM objects'
	# shellcheck disable=SC2086
	"$HF" $command -q --no-index "$@" ${sql:+"$sql"} >/dev/full 2>"$work/message"
	got=$?
	[ $got = 2 ] && grep -q ': No space left on device' "$work/message" ||
		wrong "$command >/dev/full: status $got, $(cat "$work/message")"
done

# The index: the report is there all the same. One is not begun, one comes half way.
keep() { # SIZE OF-WHAT CORE PROGRAM
	disk "$1"
	"$HF" report -q --no-index "$3" "$4" >"$work/without"
	"$HF" report -q --index="$disk/index" "$3" "$4" >"$work/out" 2>"$work/message" ||
		wrong "an index on a disk of $1: status $?"
	cmp -s "$work/without" "$work/out" || wrong "an index on a disk of $1: no report"
	grep -q "no index was kept: $2" "$work/message" ||
		wrong "an index on a disk of $1: $(cat "$work/message")"
	[ -z "$(find "$disk" -type f -size +0)" ] || wrong "half an index: $(find "$disk" -type f)"
}
keep 256k 'no room for an index of 2 MiB ' "$@"
dump "$work/small" "$FIX/leak_cases" "$work/truth" || exit 1
keep 100k '.*\(No space left on device\|no room\)' "$work/small" "$FIX/leak_cases"

# The arrays.
disk 256k
"$HF" report -q --no-index --work-dir="$disk" "$@" >"$work/out" 2>"$work/message"
got=$?
[ $got = 2 ] && grep -q "work-dir=$disk: No space left on device" "$work/message" ||
	wrong "a full working folder: status $got, $(cat "$work/message")"
[ ! -s "$work/out" ] || wrong "a full working folder: half a report"
empty "a full working folder"

# A snapshot; the process goes on.
"$FIX/idle_heap" 100000 8 >"$work/told" &
pid=$!
trap 'kill $pid; umount "$disk" 2>/dev/null; rm -rf "$work"' EXIT
until grep -qs ready "$work/told"; do sleep 0.1; done
for option in '' --zstd --no-pause; do
	disk 128k
	# shellcheck disable=SC2086
	"$HF" snapshot -q $option $pid -o "$disk/core" >"$work/out" 2>"$work/message"
	got=$?
	[ $got = 2 ] && grep -q "$disk/core.*: not enough space" "$work/message" ||
		wrong "snapshot $option: status $got, $(cat "$work/message")"
	empty "snapshot $option"
	grep -q '^State:.*[SR] ' "/proc/$pid/status" || wrong "snapshot $option stopped the process"
done
exit $status
