#!/bin/sh
# gdb_errors.sh - what can go wrong inside GDB is one clear line, and GDB goes on: no target, no
# program, a helper that dies, other languages, hostile words, an unwritable home. Also: MI records,
# and what other commands capture.
. fixtures/core.sh
. fixtures/gdbs.sh
work=$(new_folder)
trap 'rm -rf "$work"' EXIT
status=0
exe=$FIX/gdb_steps

dump "$work/core" "$exe" 20 || exit 1

expect() { # PART PATTERN
	part "$1" "$work/out" >"$work/part"
	grep -q -e "$2" "$work/part" && return
	echo "WRONG: $kind: $1: no line like: $2"
	head -n 20 "$work/part"
	status=1
}
lines() { # PART COUNT
	[ "$(part "$1" "$work/out" | wc -l)" = "$2" ] && return
	echo "WRONG: $kind: $1: not $2 lines:"
	part "$1" "$work/out" | head -n 20
	status=1
}

# Words that a shell, GDB or SQL would run or trip over. None may leave a trace.
cat >"$work/words" <<'END'
$(touch TRACE)
`touch TRACE`
; touch TRACE
| touch TRACE
> TRACE
"; shell touch TRACE
' HF_END touch TRACE HF_END
\
\n\nshell touch TRACE
%s%n%x
$arg0 $argc $hf_expression
1 -- 2
"unbalanced
((((((
head) | touch TRACE (
# comment
END
sed "s|TRACE|$work/trace|" "$work/words" >"$work/words2"

cat >"$work/script" <<'END'
echo @@object_none\n
heap-object
echo @@path_int\n
heap-path 5
echo @@diff_none\n
heap-diff /nonexistent
echo @@export_none\n
heap-export nosuch /nonexistent/x
echo @@query_none\n
heap-query
echo @@query_bad\n
heap-query "SELEC 1"
if $hf_status
  echo status seen\n
end
echo @@query_quotes\n
heap-query "SELECT 'it''s | > $HOME' AS a, 3 AS b"
echo @@query_words\n
heap-query SELECT count(*) > 0 AS c FROM objects
echo @@argument\n
heap-leaks something
echo @@option\n
heap-leaks --nonsense
echo @@captured\n
pipe heap-leaks | grep -c definite
echo @@ada\n
set language ada
heap-dominators head
output $hf_status
echo \n
echo @@rust\n
set language rust
heap-object $sp
output $hf_status
echo \n
echo @@fortran\n
set language fortran
heap-path head
output $hf_status
echo \n
set language auto
echo @@user_command\n
define mine
  if $argc
    heap-path $arg0->next
  end
end
mine head
echo @@width\n
set width 60
heap-leaks
echo @@end\n
END

check_words() { # GDB: each in its own GDB, for an error ends a script
	while IFS= read -r words; do
		for command in heap-path heap-query heap-leaks heap-diff 'heap-export folded'; do
			printf '%s %s\n' "$command" "$words"
		done
	done <"$work/words2" >"$work/lines"
	set --
	while IFS= read -r line; do
		set -- "$@" -ex "$line"
	done <"$work/lines"
	(cd "$work/cwd" && HEAPFORENSICS=$HF TMPDIR=$work/tmp XDG_CACHE_HOME=$work/cache timeout 300 "$gdb" -nx -batch -ex 'set auto-load safe-path /' \
		-x "$here/gdbplugin/heapforensics.gdb" "$@" -ex 'echo @@still\n' -ex 'heap-query "SELECT 42 AS n"' \
		"$exe" "$work/core") >"$work/out" 2>&1 </dev/null
	expect still '^42$'
	[ ! -e "$work/trace" ] || { echo "WRONG: $kind: a word was run by a shell"; status=1; rm -f "$work/trace"; }
	grep -q 'Error in sourced' "$work/out" && { echo "WRONG: $kind: noise"; grep 'Error in' "$work/out" | head -3; status=1; }
}

check_errors() {
	heap_gdb "$gdb" "$work/script" "$exe" "$work/core" >"$work/out"
	expect object_none '^heapforensics: heap-object EXPR'
	expect path_int 'no object of the heap'
	expect diff_none 'nonexistent: No such file'
	expect export_none 'nosuch'
	expect query_none '^heapforensics: heap-query "SQL"'
	expect query_bad 'SELEC'
	expect query_bad '^status seen$'
	expect query_quotes "^it's | > \$HOME *3\$"
	expect query_words '^ *1$'
	expect argument 'leaks takes no argument'
	expect option '^heapforensics: there is no option --nonsense'
	expect captured '^[1-9]'
	expect ada 'head (gdb_steps'
	expect ada '^0$'
	expect rust '^0$'
	expect fortran '^object *struct node'
	expect fortran '^0$'
	expect user_command '^object *struct node'
	[ "$(part width "$work/out" | awk 'length > 60 && !/^  heapforensics/' | wc -l)" -lt 3 ] ||
		{ echo "WRONG: $kind: set width"; status=1; }
	for name in object_none path_int diff_none query_none argument; do
		lines $name 1
	done
}

check_helpers() {
	printf '#!/bin/sh\nkill -9 $$\n' >"$work/killed"
	printf '#!/bin/sh\nexit 3\n' >"$work/failing"
	chmod +x "$work/killed" "$work/failing"
	printf 'echo @@one\\n\nheap-leaks\noutput $hf_status\necho \\n\n' >"$work/one"
	good=$HF
	HF=$work/killed; heap_gdb "$gdb" "$work/one" "$exe" "$work/core" >"$work/out"
	expect one 'ended by signal 9'
	expect one '^2$'
	# One that ends without having read what GDB has for it, again and again.
	{ yes heap-leaks | head -n 10; cat "$work/one"; } >"$work/ten"
	HF=$work/failing; heap_gdb "$gdb" "$work/ten" "$exe" "$work/core" >"$work/out"
	expect one '^2$'
	HF=$work/failing; heap_gdb "$gdb" "$work/one" "$exe" "$work/core" >"$work/out"
	expect one '^heapforensics could not answer'
	HF=$work/absent; heap_gdb "$gdb" "$work/one" "$exe" "$work/core" >"$work/out"
	expect one '^heapforensics was not found'
	HF=$good
	heap_gdb "$gdb" "$work/one" >"$work/out"
	expect one '^heapforensics: GDB has no core and no live process'
	heap_gdb "$gdb" "$work/one" "$exe" >"$work/out"
	expect one '^heapforensics: GDB has no core and no live process'
	# No home, or one that cannot be written.
	(HOME=/nonexistent HEAP_CACHE=/proc/none heap_gdb "$gdb" "$work/one" "$exe" "$work/core") >"$work/out"
	expect one '^  definite'
	# A shell that is no shell of Bourne's.
	(SHELL=/bin/false heap_gdb "$gdb" "$work/one" "$exe" "$work/core") >"$work/out"
	expect one '^  definite'
}

# Each record of MI is a line of its own kind: no text of ours stands beside them.
check_mi() {
	printf '%s\n' '-interpreter-exec console "heap-leaks"' '-interpreter-exec console "heap-path head"' \
		'-data-evaluate-expression $hf_leaked_objects' '-gdb-exit' >"$work/mi_in"
	HEAPFORENSICS=$HF TMPDIR=$work/tmp XDG_CACHE_HOME=$work/cache TERM=xterm-256color timeout 60 "$gdb" -nx -q -i=mi3 \
		-ex 'set auto-load safe-path /' -x "$PWD/gdbplugin/heapforensics.gdb" "$exe" "$work/core" \
		<"$work/mi_in" >"$work/mi" 2>/dev/null
	grep -v -e '^[~&@=*^+]' -e '^(gdb) $' "$work/mi" && { echo "WRONG: $kind: no MI record"; status=1; }
	grep -q '^~"  *definite' "$work/mi" && grep -q 'value="10"' "$work/mi" ||
		{ echo "WRONG: $kind: MI"; tail -n 20 "$work/mi"; status=1; }
	grep -q '\\033' "$work/mi" && { echo "WRONG: $kind: colours in MI"; status=1; }
}

here=$PWD
mkdir "$work/tmp" "$work/cwd"
all_gdbs >"$work/gdbs"
[ -s "$work/gdbs" ] || { echo "no GDB can be had here"; exit 77; }
while read -r kind gdb; do
	echo "$kind"
	check_errors
	check_words
	check_helpers
	check_mi
	no_folder_left || status=1
done <"$work/gdbs"
exit $status
