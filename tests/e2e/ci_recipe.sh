#!/bin/sh
# ci_recipe.sh - the recipe of docs/ci.md, as it stands there, over a little server: the first run
# makes the baseline, an unchanged one passes, growth and leaks fail it by name, a run that passes may become
# the new baseline.
. fixtures/core.sh
HF=${HF:-$PWD/build/heapforensics}
work=$(new_folder)
trap 'rm -rf "$work"' EXIT
command -v gcore >/dev/null || { echo "gdb's gcore is not installed"; exit 77; }
command -v gcc >/dev/null || { echo "gcc is not installed"; exit 77; }
status=0

# The program under test answers each line of the pipe "requests" with a line in "answers".
cat >"$work/server.c" <<'SOURCE'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct session {
	struct session *next;
	char user[200];
};
struct session *g_sessions;

static __attribute__((noinline)) void login(const char *user)
{
	struct session *session = calloc(1, sizeof(*session));
	snprintf(session->user, sizeof(session->user), "%s", user);
	session->next = g_sessions;
	g_sessions = session;
#ifdef LEAKS
	char *copy = strdup("a line that nobody frees");
	__asm__ volatile("" : : "r"(copy) : "memory");
#endif
}

static __attribute__((noinline)) void scrub(void)
{
	volatile char dead[4096];
	for (size_t i = 0; i < sizeof(dead); i++)
		dead[i] = 0;
}

int main(void)
{
	FILE *from = fopen("requests", "r+"), *to = fopen("answers", "w");
	char line[128];

	setvbuf(to, NULL, _IONBF, 0);
	while (fgets(line, sizeof(line), from)) {
		login(line);
		scrub();
		fputs("ok\n", to);
	}
	return 0;
}
SOURCE
# Its tests: so many users log in, and each gets an answer.
cat >"$work/run-tests" <<'TESTS'
#!/bin/sh
for user in $(seq "$USERS"); do echo "user $user"; done >requests
for try in $(seq 100); do
	[ "$(grep -c ok answers)" -eq "$USERS" ] && exit 0
	sleep 0.1
done
echo "the server does not answer"
exit 9
TESTS
chmod +x "$work/run-tests"
mkdir "$work/bin" && ln -s "$HF" "$work/bin/heapforensics"
# The script is the first block of shell in the document.
sed -n '/^```sh$/,/^```$/{/^```/d;p}' docs/ci.md >"$work/heap-gate.sh"
cd "$work" || exit 1
gcc -g -O1 -fno-builtin -o good server.c && gcc -g -O1 -fno-builtin -DLEAKS -o bad server.c || exit 1

tests=./run-tests
gate() { # STATUS PROGRAM USERS [NAME=VALUE]
	should=$1 cp_from=$2 users=$3
	shift 3
	cp "$cp_from" server
	rm -f requests answers
	mkfifo requests
	: >answers
	env PATH="$work/bin:$PATH" USERS="$users" "$@" sh ./heap-gate.sh ./server "$tests" \
		>told 2>&1 </dev/null
	is=$?
	[ $is -eq "$should" ] || {
		echo "WRONG: $cp_from with $users users $*: status $is, should be $should"
		cat told
		status=1
	}
}
says() {
	grep -q "$1" told || { echo "WRONG: nothing says '$1'"; cat told; status=1; }
}

gate 0 good 100
[ -e heap/baseline.core ] || { echo "WRONG: no baseline"; exit 1; }
sum=$(cksum <heap/baseline.core)
gate 0 good 100
grep -q 'failures="0"' heap/gate.xml || { echo "WRONG: gate.xml of a good run"; status=1; }
grep -q "Nothing grew" heap/diff.txt || { echo "WRONG: an unchanged run grew"; cat heap/diff.txt; status=1; }
gate 1 bad 100
says 'growth("lost") > 0'
grep -q 'failures="2"' heap/gate.xml || { echo "WRONG: gate.xml of a leak"; cat heap/gate.xml; status=1; }
grep -q '"count": 100' heap/leaks.sarif || { echo "WRONG: leaks.sarif"; cat heap/leaks.sarif; status=1; }
gate 1 good 400 HEAP_ACCEPT=1
says 'growth_bytes > 10%'
grep -q g_sessions heap/diff.txt || { echo "WRONG: the diff names no holder"; status=1; }
[ "$sum" = "$(cksum <heap/baseline.core)" ] || { echo "WRONG: a failed run changed the baseline"; status=1; }
gate 0 good 101 HEAP_ACCEPT=1
[ "$sum" != "$(cksum <heap/baseline.core)" ] || { echo "WRONG: the baseline is not replaced"; status=1; }
# Tests that fail are told as such.
tests="./run-tests && exit 9"
gate 9 good 100
exit $status
