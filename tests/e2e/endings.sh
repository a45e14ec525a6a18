#!/bin/sh
# endings.sh - the report says how the process ended: a stack that overflowed, a libc function that
# the program gave a bad pointer, an address that cannot be, a crash in malloc; and never blames a
# block that the program did not free, however the program was compiled.
. fixtures/core.sh
work=$(new_folder)
trap 'rm -rf "$work"' EXIT
status=0
command -v python3 >/dev/null || { echo "python3 is not installed"; exit 77; }

says() { # WAY PATTERN
	dump "$work/core" "$FIX/endings" "$1" || exit 1
	"$HF" report --no-index --json -q "$work/core" "$FIX/endings" >"$work/json" || exit 1
	if grep -Eq "$2" "$work/json"; then
		echo "$1: told"
	else
		echo "WRONG: $1 is not told as: $2"
		grep '"ending"' "$work/json"
		status=1
	fi
}

says overflow '"ending": "ended by SIGSEGV at address .* in thread 1, descend\(\) .*: a stack overflow, all of its .* are used"'
python3 - "$work/json" <<'EOF' || status=1
import json, sys
lines = {line["kind"]: line["bytes"] for line in json.load(open(sys.argv[1]))["memory"]["ledger"]}
if lines.get("stacks", 0) <= lines.get("anonymous", 0):
    print("WRONG: overflow: the stack is not told as one:", lines)
    sys.exit(1)
EOF
says thread-overflow '"ending": "ended by SIGSEGV .*, descend\(\) .*: a stack overflow, all of its .* are used"'
says null '"ending": "ended by SIGSEGV at address 0x0 in thread 1, .*strlen.*\(\) called by main\(\)'
if [ "$(uname -m)" = x86_64 ]; then
	says call '"ending": "ended by SIGSEGV at address 0x0 in thread 1, a call of 0x0, which is no code, by call_hook\(\) \(endings.c:'
	grep -q 'thread-not-unwound' "$work/json" && { echo "WRONG: call: no frames"; status=1; }
	says wild '"ending": "ended by SIGSEGV at an address that cannot be \(not canonical\) in thread 1, main\(\)'
fi
says deep '"ending": "ended by SIGSEGV at address 0x0 in thread 1, descend\(\)'
grep -q overflow "$work/json" && { echo "WRONG: deep is no stack overflow"; status=1; }
# From glibc 2.43 on there are no fastbins, and the program goes on to its end.
(ulimit -c 0; "$FIX/endings" in-malloc >/dev/null 2>&1)
if [ $? -gt 128 ]; then
	says in-malloc '"ending": "ended by SIGSEGV .* in thread 1, .*malloc\(\) called by in_malloc\(\)'
	grep -q 'The heap is corrupt: at .* fastbin .* leads to' "$work/json" ||
		{ echo "WRONG: in-malloc: the broken list is not in the verdict"; status=1; }
fi

# The pointer that was freed is told, or none is.
compiled=0
for flags in -O0 -O1 -O2 "-O2 -fomit-frame-pointer" "-O1 -fno-omit-frame-pointer"; do
	gcc -g $flags -w -pthread -o "$work/endings" fixtures/endings.c 2>/dev/null || continue
	dump "$work/core" /bin/sh -c "exec '$work/endings' interior >'$work/given'" || exit 1
	"$HF" report --no-index --json -q "$work/core" "$work/endings" >"$work/json" || exit 1
	grep -q 'free(): invalid pointer' "$work/json" ||
		{ echo "WRONG: $flags: malloc's message is missing"; status=1; }
	given=$(cat "$work/given")
	told=$(python3 -c 'import json, sys
print(json.load(open(sys.argv[1]))["abort"].get("address") or "")' "$work/json")
	if [ -n "$told" ] && [ "$told" != "$given" ]; then
		echo "WRONG: $flags: $told is said to have been freed, but it was $given"
		status=1
	fi
	echo "free() of a pointer into a block, $flags: ${told:-nothing} is told of $given"
	compiled=$((compiled + 1))
done

# What C++ ends by: its library's frames are not the program's. A line is one of the function's own.
cxx() { # FLAGS WAY PATTERN
	# shellcheck disable=SC2086
	g++ -g -w $1 -o "$work/cxx" fixtures/endings_cxx.cc 2>/dev/null ||
		{ echo "not compiled: g++ $1"; return; }
	dump "$work/core" "$work/cxx" "$2" || exit 1
	"$HF" report --no-index --json -q "$work/core" "$work/cxx" >"$work/json" || exit 1
	grep -Eq "\"ending\": \"ended by SIGABRT in thread 1, $3" "$work/json" ||
		{ echo "WRONG: g++ $1, $2:"; grep '"ending"' "$work/json"; status=1; }
}
for flags in -O0 -O2 "-O2 -static"; do
	cxx "$flags" throw 'an uncaught exception, thrown by reject\(int\) \(endings_cxx.cc:'
	cxx "$flags" length 'an uncaught exception, thrown by grow\(int\) \(endings_cxx.cc:'
	cxx "$flags" noexcept 'an uncaught exception, thrown by reject\(int\) \(endings_cxx.cc:'
done
cxx -O2 pure 'a call of a pure virtual function by (Shape::|main).* \(endings_cxx.cc:'
cxx "-O2 -s" throw 'an uncaught exception"'

# A static program's own function is told, not libc's; without symbols libc's that it had called.
ended() { # FLAGS PATTERN
	# shellcheck disable=SC2086
	gcc -g -O0 -w -pthread $1 -o "$work/endings" fixtures/endings.c 2>/dev/null ||
		{ echo "not compiled: $1"; return; }
	dump "$work/core" "$work/endings" interior || exit 1
	"$HF" report --no-index --json -q "$work/core" "$work/endings" >"$work/json" || exit 1
	grep -Eq "$2" "$work/json" ||
		{ echo "WRONG: $1:"; grep '"ending"' "$work/json"; status=1; }
}
ended -static '"ending": "ended by SIGABRT in thread 1, main\(\) '
ended -s '"ending": "ended by SIGABRT in thread 1, .*free\(\)'

[ $compiled -gt 0 ] || echo "gcc is not here: nothing was compiled anew"
exit $status
