#!/bin/sh
# untouched.sh - memory that was never touched is no hole in a kernel core, so what is lost is told
# as lost; memory that the program keeps out of cores is one, and what only it may hold is not; and
# a snapshot says how much of that there is.
. fixtures/core.sh
work=$(new_folder)
pid=
trap '[ -z "$pid" ] || kill -9 $pid 2>/dev/null; rm -rf "$work"' EXIT
kernel_dumps || { echo "the kernel writes no plain cores here"; exit 77; }
status=0

kind_of() { # SIZE
	"$HF" query -q --no-index --csv "$work/core" "$FIX/untouched" \
		"SELECT leak_kind FROM objects WHERE usable BETWEEN $1 AND $1 + 15" | tail -n +2
}

dump "$work/core" "$FIX/untouched" || exit 1
[ "$(kind_of 3333)" = definite ] || { echo "WRONG: the lost block is $(kind_of 3333)"; status=1; }
"$HF" report -q --no-index --json "$work/core" "$FIX/untouched" >"$work/json" || status=1
grep -q '"partial": false' "$work/json" ||
	{ echo "WRONG: evidence is said to be missing"; grep -A4 '"code"' "$work/json"; status=1; }

dump "$work/core" "$FIX/untouched" kept-out || exit 1
case $(kind_of 4444) in
definite | indirect) echo "WRONG: what memory that was kept out holds is called lost"; status=1 ;;
'') echo "WRONG: the held block is not there"; status=1 ;;
esac
"$HF" report -q --no-index --json "$work/core" "$FIX/untouched" | grep -q pointers-missing ||
	{ echo "WRONG: memory that was kept out is not told"; status=1; }

"$FIX/untouched" kept-out stay >"$work/told" &
pid=$!
for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	grep -qs ready "$work/told" && break
	sleep 0.1
done
if "$HF" snapshot -q -o "$work/core.hf" $pid >/dev/null 2>"$work/log"; then
	"$HF" report -q --no-index "$work/core.hf" "$FIX/untouched" >"$work/out"
	grep -q '4.00 MiB that the program keeps out of cores (MADV_DONTDUMP)' "$work/out" ||
		{ echo "WRONG: the snapshot does not say what it lacks"; cat "$work/out"; status=1; }
else
	cat "$work/log" # ptrace is not allowed here
fi
exit $status
