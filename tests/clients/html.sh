#!/bin/sh
# html.sh - pages opened in headless Chromium: no error, no request; figures are the program's own;
# zoom, search, sorting and filtering by click and by key; hostile strings stay text; a million
# objects make a small file.
#
# HF_SHOTS=DIR keeps pictures of the pages there.
. fixtures/core.sh
HF=${HF:-build/heapforensics}
work=$(new_folder)
trap 'rm -rf "$work"' EXIT
chromium=
for candidate in chromium chromium-browser google-chrome; do
	command -v $candidate >/dev/null && chromium=$(command -v $candidate) && break
done
[ -n "$chromium" ] || { echo "chromium is not installed"; exit 77; }
python=
for candidate in python3 /usr/bin/python3; do
	command -v $candidate >/dev/null && $candidate -c 'import json, select' && python=$candidate && break
done
[ -n "$python" ] || { echo "python3 is not installed"; exit 77; }
command -v gcc >/dev/null || { echo "gcc is not installed"; exit 77; }

# A heap with a bit of everything, and text that would break a page if it got in as it is. Its
# tree has more groups than a page shows: eight sizes below each node, five levels.
cat >"$work/mixed.c" <<'SOURCE'
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct branch { uintptr_t below[8]; }; /* no pointers by type: told apart by size */
struct session { struct session *next; char *text; long body[20]; };
struct lost { struct lost *other; char pad[72]; };

uintptr_t g_tree;
struct session *g_sessions;
char *g_hostile[8], *g_inner[50];
static pthread_barrier_t ready;
static const char *const hostile[] = {
	"</script><script>window.hacked=1</script>", "<!-- <script>", "<img src=x onerror=window.hacked=1>",
	"\"quoted\" & 'apostrophes'", "a line\xe2\x80\xa8separator", "${window.hacked=1} \\u003c", "\xff\xfe\x01 no text",
	"javascript:window.hacked=1//",
};

static uintptr_t grow(int depth, int size)
{
	struct branch *branch = calloc(1, sizeof(*branch) + 16 * size);
	for (int i = 0; i < 8 && depth; i++)
		branch->below[i] = grow(depth - 1, i);
	return (uintptr_t)branch;
}
static void *worker(void *unused)
{
	void *blocks[3000];
	for (int i = 0; i < 3000; i++)
		blocks[i] = malloc(24 + i % 900);
	for (int i = 0; i < 3000; i++) {
		if (i % 7)
			free(blocks[i]);
	}
	pthread_barrier_wait(&ready);
	for (;;)
		pause();
	return unused;
}
static __attribute__((noinline)) void lose(void)
{
	for (int i = 0; i < 300; i++) {
		struct lost *a = calloc(1, sizeof(*a)), *b = calloc(1, sizeof(*b));
		a->other = b;
		b->other = a;
	}
}
/* What the others left in registers and on dead stack must not look like a pointer. */
static __attribute__((noinline)) void scrub(void)
{
	volatile char dead[8192];
	for (size_t i = 0; i < sizeof(dead); i++)
		dead[i] = 0;
}
int main(int argc, char **argv)
{
	int depth = argc > 2 ? atoi(argv[2]) : 5, sessions = argc > 3 ? atoi(argv[3]) : 500;
	pthread_t thread;
	char text[64];

	pthread_barrier_init(&ready, NULL, 2);
	pthread_create(&thread, NULL, worker, NULL);
	g_tree = grow(depth, 0);
	for (int i = 0; i < sessions; i++) {
		struct session *session = calloc(1, sizeof(*session));
		snprintf(text, sizeof(text), "the needle number %d of the haystack", i);
		session->text = strdup(text);
		session->next = g_sessions;
		g_sessions = session;
	}
	for (int i = 0; i < 8; i++)
		g_hostile[i] = strdup(hostile[i]);
	for (int i = 0; i < 50; i++)
		g_inner[i] = (char *)malloc(500) + 128;
	lose();
	scrub();
	pthread_barrier_wait(&ready);
	abort();
}
SOURCE
gcc -g -O1 -fno-builtin -pthread -o "$work/mixed" "$work/mixed.c" || exit 1
dump "$work/core.mixed" "$work/mixed" '</title><script>window.hacked=1</script>' || exit 1
"$HF" -q "$work/core.mixed" "$work/mixed" --html -o "$work/mixed.html" || exit 1
"$HF" summary -q --json "$work/core.mixed" "$work/mixed" -o "$work/mixed.json" || exit 1

dump "$work/core.old" "$FIX/demo_server" 1000 10 || exit 1
dump "$work/core.new" "$FIX/demo_server" 1500 90 || exit 1
"$HF" diff -q "$work/core.old" "$work/core.new" "$FIX/demo_server" --html -o "$work/diff.html" || exit 1
"$HF" diff -q "$work/core.old" "$work/core.new" "$FIX/demo_server" --json -o "$work/diff.json" || exit 1
"$HF" leaks -q "$work/core.new" "$FIX/demo_server" --html -o "$work/leaks.html" || exit 1
# Cut in the middle of the heap.
head -c 3000000 "$work/core.new" >"$work/core.cut"
"$HF" -q "$work/core.cut" "$FIX/demo_server" --html >"$work/cut.html" || exit 1
# A million objects.
dump "$work/core.big" "$work/mixed" big 6 350000 || exit 1
"$HF" -q "$work/core.big" "$work/mixed" --html -o "$work/big.html" || exit 1
rm -f "$work/core.big"

PYTHONPATH=tests/clients PYTHONDONTWRITEBYTECODE=1 $python tests/clients/html.py "$chromium" "$work"
