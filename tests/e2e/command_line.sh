#!/bin/sh
# command_line.sh - the whole command line, of which a core's note has 79 bytes: from kernel's,
# gdb's and our own cores; a title that a program wrote over its arguments stays the note's.
. fixtures/core.sh
HF=${HF:-build/heapforensics}
work=$(new_folder)
trap 'kill -9 $target 2>/dev/null; rm -rf "$work"' EXIT
target=
status=0
text=$(printf 'word%s ' $(seq 1 300))
says() { # CORE EXPECTED
	told=$("$HF" summary -q --json --no-index "$1" "$FIX/page_heap" | sed -n 's/^ *"command_line": "\(.*\)",$/\1/p')
	[ "$told" = "$2" ] || { echo "WRONG: ${1##*/}: '$told'"; status=1; }
}
dump "$work/core.long" "$FIX/page_heap" "$text" 2 || exit 1
says "$work/core.long" "$FIX/page_heap $text 2"
"$HF" summary -q "$work/core.long" "$FIX/page_heap" | grep -q "word299" || {
	echo "WRONG: not in the text"
	status=1
}
dump "$work/core.short" "$FIX/page_heap" "short" 2 || exit 1
says "$work/core.short" "$FIX/page_heap short 2"

sleep 60 "0$(printf '%0100d' 0)" "0.5" &
target=$!
while [ "$(cat "/proc/$target/comm")" != sleep ]; do sleep 0.1; done
expected=$(tr '\0' ' ' <"/proc/$target/cmdline")
FIX=/nowhere
told() { "$HF" summary -q --json --no-index "$1" | sed -n 's/^ *"command_line": "\(.*\)",$/\1 /p'; }
"$HF" snapshot -q "$target" -o "$work/core.own" >/dev/null || exit 1
[ "$(told "$work/core.own")" = "$expected" ] || { echo "WRONG: snapshot: $(told "$work/core.own")"; status=1; }
if command -v gdb >/dev/null; then
	gcore_of "$work/core.gdb" "$target" || exit 1
	[ "$(told "$work/core.gdb")" = "$expected" ] || { echo "WRONG: gcore: $(told "$work/core.gdb")"; status=1; }
fi
exit $status
