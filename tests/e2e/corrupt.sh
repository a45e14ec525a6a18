#!/bin/sh
# corrupt.sh - heaps that one bug broke, each in another way: `check` names the invariant, the
# place and the culprit, tells nothing else, and loses nothing that stands beside it.
. fixtures/core.sh
command -v python3 >/dev/null || { echo "python3 is not installed"; exit 77; }
work=$(new_folder)
trap 'rm -rf "$work"' EXIT
status=0 kinds=0

for name in $("$FIX/corrupt" --list); do
	if ! dump "$work/core" "$FIX/corrupt" "$name" "$work/$name" 2>"$work/log"; then
		(ulimit -c 0; "$FIX/corrupt" "$name" >/dev/null 2>&1)
		[ $? = 77 ] && { echo "$name: not with this glibc"; continue; }
		cat "$work/log"
		exit 1
	fi
	printf '%s: ' "$name"
	python3 tests/oracle/check_corrupt.py "$HF" "$work/core" "$work/$name" || status=1
	case $name in
	tcache-link* | tcache-double* | tcache-counter | tcache-size | fastbin* | abort-*)
		# A stripped libc, or none: whose tcache it is, what malloc said.
		printf '%s, no symbols: ' "$name"
		python3 tests/oracle/check_corrupt.py --nameless "$HF" "$work/core" "$work/$name" \
			--sysroot="$work/none" --debuginfo-path="$work/none" || status=1 ;;
	esac
	kinds=$((kinds + 1))
	rm -f "$work/core"
done
echo "$kinds kinds"
[ "$kinds" -ge 20 ] || { echo "WRONG: only $kinds kinds"; status=1; }
exit $status
