#!/bin/sh
# foreign.sh - processes whose memory another allocator manages: a clear answer with its name and its
# bytes, the ledger, who points into them, exit status 0; never objects made up.
. fixtures/core.sh
work=$(new_folder)
trap 'rm -rf "$work"' EXIT
status=0 done=0
cat >"$work/list.c" <<'C'
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
struct node { struct node *next; char text[120]; } *g_list;
int main(int argc, char **argv)
{
	for (int i = 0; i < 20000; i++) {
		struct node *node = malloc(sizeof(*node));
		memset(node, 1, sizeof(*node));
		node->next = g_list;
		g_list = node;
	}
#ifdef __GLIBC__
	if (argc > 1) /* makes glibc's arena, and nothing in it */
		mallinfo();
#endif
	raise(SIGABRT);
}
C

expect() { # WORDS CORE BINARY HOLDER
	"$HF" --no-index -q "$2" "$3" >"$work/out" 2>&1
	got=$?
	"$HF" --no-index -q --json "$2" "$3" >"$work/json" 2>&1
	if [ $got -ne 0 ] || ! grep -q "$1" "$work/out" ||
		! grep -q 'other anonymous memory  *[0-9.]* MiB' "$work/out" ||
		! grep -q "MiB  *[0-9]*  $4" "$work/out" ||
		! grep -q '"partial": true' "$work/json"; then
		echo "WRONG: $1 is not told (status $got):"
		head -n 30 "$work/out"
		status=1
	fi
	done=$((done + 1))
}

gcc -g -O1 -w -o "$work/list" "$work/list.c" || exit 1
for library in jemalloc tcmalloc_minimal mimalloc; do
	file=$(ls /usr/lib/*/lib$library.so.* 2>/dev/null | head -n 1)
	[ -n "$file" ] || continue
	dump "$work/core" /usr/bin/env LD_PRELOAD="$file" "$work/list" || exit 1
	expect "${library%_minimal} manages this process's memory" "$work/core" "$work/list" "g_list (list.c:5)"
done
if command -v musl-gcc >/dev/null; then
	for flag in "" -static; do
		musl-gcc -g -O1 $flag -o "$work/musl" "$work/list.c" || exit 1
		dump "$work/core" "$work/musl" || exit 1
		expect "musl manages this process's memory" "$work/core" "$work/musl" "g_list (list.c:5)"
	done
	strip "$work/musl"
	dump "$work/core" "$work/musl" || exit 1
	expect "No glibc heap was found: " "$work/core" "$work/musl" "[.]bss"
fi
if command -v go >/dev/null; then
	cat >"$work/held.go" <<'GO'
package main

import (
	"os"
	"syscall"
)

var held [][]byte

func main() {
	for i := 0; i < 2000; i++ {
		held = append(held, make([]byte, 1024))
	}
	syscall.Kill(os.Getpid(), syscall.SIGSEGV)
	select {}
}
GO
	(cd "$work" && HOME=$work GOFLAGS=-mod=mod GO111MODULE=off go build -o held held.go) || exit 1
	dump "$work/core" /usr/bin/env GOTRACEBACK=crash "$work/held" || exit 1
	expect "Go's runtime manages this process's memory" "$work/core" "$work/held" ".*runtime"
fi
[ $done -gt 0 ] || { echo "neither musl-gcc, go nor another allocator is installed"; exit 77; }
echo "$done allocators"
exit $status
