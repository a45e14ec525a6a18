#!/bin/sh
# explore.sh - explore on a real terminal (tmux): opening, going back, sorting, filtering, jumping,
# paths, pointers, memory, help, resizing, colours; and its messages where it cannot run.
. fixtures/core.sh
HF=${HF:-$PWD/build/heapforensics}
command -v tmux >/dev/null || { echo "tmux is not installed"; exit 77; }
command -v gcc >/dev/null || { echo "gcc is not installed"; exit 77; }
work=$(new_folder)
unset TMUX COLUMNS LINES NO_COLOR
TMUX_TMPDIR=$work
export TMUX_TMPDIR
trap 'mux kill-server 2>/dev/null; rm -rf "$work"' EXIT
status=0

cat >"$work/program.c" <<'SOURCE'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 400 sessions in a table, each with a text of its own; a chain of 50 nodes; 7 objects lost. */
struct session {
	char *text;
	long number;
};
struct node {
	struct node *next;
	char body[232];
};
static struct session **g_table;
static struct node *g_chain;

static __attribute__((noinline)) void fill(void)
{
	g_table = calloc(400, sizeof(*g_table));
	for (long i = 0; i < 400; i++) {
		char text[64];
		snprintf(text, sizeof(text), "this is the text of session %ld", i);
		g_table[i] = malloc(sizeof(struct session));
		*g_table[i] = (struct session){strdup(text), i};
	}
	for (int i = 0; i < 50; i++) {
		struct node *node = calloc(1, sizeof(*node));
		node->next = g_chain;
		g_chain = node;
	}
	for (int i = 0; i < 7; i++)
		memset(malloc(7000), 'x', 7000);
}

static __attribute__((noinline)) void scrub(void)
{
	volatile char dead[16384];
	for (size_t i = 0; i < sizeof(dead); i++)
		dead[i] = 0;
}

int main(int argc, char **argv)
{
	FILE *to = fopen(argv[argc - 1], "w");
	fill();
	fprintf(to, "session_123 %p\ntext_123 %p\n", (void *)g_table[123], (void *)g_table[123]->text);
	fclose(to);
	scrub();
	abort();
}
SOURCE
gcc -g -O1 -fno-builtin -o "$work/program" "$work/program.c" || exit 1
dump "$work/core.test" "$work/program" "$work/truth" || exit 1
address_of() { sed -n "s/^$1 //p" "$work/truth"; }

# No terminal: a message, and status 2, before the core is read.
"$HF" explore "$work/core.test" "$work/program" >"$work/out" 2>"$work/err" </dev/null
is=$?
if grep -q 'built without ncurses' "$work/err" && [ $is -eq 2 ]; then
	echo "this build has no ncurses (it said so)"
	exit 77
fi
if [ $is -ne 2 ] || [ -s "$work/out" ] || ! grep -q 'explore needs a terminal' "$work/err"; then
	echo "WRONG: without a terminal: status $is, $(cat "$work/err")"
	status=1
fi
"$HF" explore "$work/core.test" --json >"$work/out" 2>&1
[ $? -eq 2 ] || { echo "WRONG: explore --json exits with $?"; status=1; }

servers=0
mux() { tmux -u -L "explore$servers" -f /dev/null "$@"; }
screen() { mux capture-pane -p -t test; }
# A step fails where what it waits for does not appear: what is there instead is shown.
shows() { # WHAT PATTERN...: all of them, on one screen
	what=$1
	shift
	tries=0
	while :; do
		screen >"$work/screen" 2>/dev/null
		missing=
		for pattern in "$@"; do
			grep -q -e "$pattern" "$work/screen" || missing=$pattern
		done
		[ -n "$missing" ] || return 0
		tries=$((tries + 1))
		[ $tries -lt 150 ] || break
		sleep 0.1
	done
	echo "WRONG: $what: \"$missing\" is not on the screen:"
	cat "$work/screen"
	status=1
	return 1
}
lacks() { # WHAT PATTERN: not on the screen that was waited for last
	if grep -q -e "$2" "$work/screen"; then
		echo "WRONG: $1: \"$2\" is on the screen:"
		cat "$work/screen"
		status=1
	fi
}
keys() { for key in "$@"; do mux send-keys -t test "$key"; done; }
type_in() { mux send-keys -t test -l "$1"; mux send-keys -t test Enter; }
start() { # ENVIRONMENT ARG...
	environment=$1
	shift
	mux kill-server 2>/dev/null
	servers=$((servers + 1)) # another one: the old takes its time to go
	mux new-session -d -s test -x 80 -y 24 \
		"env TERM=screen LC_ALL=C.UTF-8 $environment $HF explore -q $*; echo left with \$?; sleep 60"
}
files="$work/core.test $work/program"

start "" $files
shows "the first list" '^ core.test .*heap .* objects' '^ all roots' '801 + g_table (program.c' \
	' 50 + g_chain (program.c' 'x 7  lost' 'by retained, grouped by type' 'Enter open' || exit 1
[ "$(wc -l <"$work/screen")" -eq 24 ] || { echo "WRONG: not 24 lines"; status=1; }
awk 'length > 80 { bad = 1 } END { exit bad }' "$work/screen" || { echo "WRONG: lines too long"; status=1; }
sed -n 4p "$work/screen" | grep -q 'lost' || { echo "WRONG: 49 KiB lost are not the first"; status=1; }

# Down the tree: the table, its sessions as one group, their texts as one.
keys Down
shows "the cursor" '^ 2 of '
keys Enter
shows "below g_table" '^ all roots > g_table' '801 + ' '1 of 1 '
keys l
shows "the sessions" '800 + .*  x 400' 'own bytes 3.1'
keys Right
shows "the texts" '^ .* x 400$' '  400   .*  x 400' 'own bytes 12.5 KiB'
keys Enter
shows "no further" 'it keeps nothing else alive'
# Each text alone, filter and sort.
keys t
shows "each text" '1 of 400' '"this is the text of sess'
lacks "each text" 'grouped'
keys Left Left Left Left h
shows "back at the top" 'this is the first list' '^ all roots$'

keys t
shows "each object alone" 'by retained$'
keys /
shows "the filter's prompt" 'only names with:'
type_in G_CH
shows "the filter" '1 of 1 .*only "G_CH" (.* hidden)' 'g_chain'
lacks "the filter" 'g_table'
keys Escape
shows "no filter" 'g_table'
keys t n
shows "by name" 'by name, grouped'
keys n
shows "by name, backward" 'by name, turned round'
keys c
shows "by objects" 'by objects'
sed -n 4p "$work/screen" | grep -q 'g_table' || { echo "WRONG: g_table has not the most objects"; status=1; }
keys S
shows "by shallow size" 'by shallow'
sed -n 4p "$work/screen" | grep -q 'lost' || { echo "WRONG: the lost are not the largest"; status=1; }
keys o
shows "by address" 'by address'
keys s End
shows "the last row" 'by retained, grouped' '^ \([0-9]*\) of \1 '
keys Home

# The chain is one group (its end looks otherwise where types are not known), its members one by
# one.
keys /
type_in g_chain
shows "g_chain alone" '1 of 1 '
keys Enter
shows "the chain" '  50 .*  x \(49\|50\)$'
keys m
shows "its members" 'g_chain.* > each ' '1 of \(49\|50\) ' '49 + '
keys h h

# To an address: there it stands, with its pointers, its path, its memory.
session=$(address_of session_123) text=$(address_of text_123)
keys a
shows "the address's prompt" 'go to (address or variable)'
type_in "$text"
shows "a jump" "$text" '"this is the text of sess'
keys p
shows "the path" "path to .*$text" 'g_table (program.c' "+984" "+0" ' 1 of 4 '
keys Left r
shows "who points at it" "pointers to .*$text" "$session" ' 1 of 1 '
keys R
shows "whom it points at" "pointers from .*$session" "+0.*$text"
keys Left x
shows "the memory of a session" "$session" '^+0  ' '7b 00 00 00 00 00 00 00' 'q close'
keys w
shows "its words" "^+0 .*$text" '^+8 .*0x000000000000007b'
keys q
shows "the list again" "pointers to .*$text"
keys Left x
shows "the memory of a text" 'session 123'
keys q i
shows "all about it" '^OBJECT' "address  *$text" 'leak kind  *reachable'
keys /
type_in 'kept alive'
shows "a search" '^KEPT ALIVE BY'
keys q a
type_in 0x10
shows "another address" '^PLACE' 'no memory at this address'
keys Escape a
type_in no_such_variable
shows "an unknown name" 'no variable or root is called "no_such_variable"'
keys a
type_in g_chain
shows "to a variable" '^ .*all roots' 'g_chain (program.c'
keys '?'
shows "the help" 'shortest path of pointers' 'q close'
keys q

# Windows of other sizes.
mux resize-window -t test -x 132 -y 40
shows "a large window" 'retained  *share  *shallow  *objects' '\[#'
mux resize-window -t test -x 60 -y 12
shows "a narrow window" 'retained  *share  *objects' 'g_'
mux resize-window -t test -x 30 -y 6
shows "a tiny window" 'too small'
mux resize-window -t test -x 80 -y 24
shows "80x24 again" 'retained  *share  *objects' 'g_table'
keys q
shows "the end" 'left with 0'
lacks "the end" 'retained'

# Colours, unless NO_COLOR says no. Bold, reverse and underline are not colours.
colored() { mux capture-pane -e -p -t test | grep -q "$(printf '\033')\[[0-9;]*3[0-7]m"; }
start "" $files
shows "with colours" 'g_chain (program.c' 'Enter open'
colored || { echo "WRONG: no colours"; status=1; }
start NO_COLOR=1 $files
shows "without colours" 'g_chain (program.c' 'Enter open'
colored && { echo "WRONG: colours in spite of NO_COLOR"; status=1; }
start NO_COLOR=1 $files g_chain
shows "a start below g_chain" '^ all roots > g_chain (program.c' '  50 .*  x '
keys q
start "" $files
shows "before Ctrl-C" 'g_table'
keys / C-c
shows "Ctrl-C at a prompt" 'Enter open'
keys C-c
shows "Ctrl-C" 'left with 0'
start LC_ALL=C $files
shows "in the locale C" 'g_table'
start TERM=no-such-terminal $files
shows "an unknown terminal" 'cannot use this terminal (TERM=no-such-terminal)' 'left with 2'
start TERM=dumb $files
shows "a terminal without a cursor" 'cannot use this terminal (TERM=dumb)' 'left with 2'

# What is cut off is missing, and nothing else happens: every key, on half a core.
size=$(wc -c <"$work/core.test")
for part in 2 3 5; do
	head -c $((size * part / 6)) "$work/core.test" >"$work/cut"
	start "" "$work/cut" "$work/program"
	shows "a cut core" 'all roots\|left with 2' || continue
	lacks "a cut core" 'left with [^2]'
	for key in i q p Left r Left R Left x w End q t n c S s End Home Enter Enter m x q i q h h u; do
		mux send-keys -t test $key
	done
	shows "a cut core, all keys" 'all roots\|left with 2'
	keys q
	shows "a cut core, the end" 'left with [02]'
done
printf 'no core at all' >"$work/junk"
start "" "$work/junk"
shows "no core" 'heapforensics: .*junk' 'left with 2'
exit $status
