#!/bin/sh
# diff.sh - two cores of a growing program: diff names the growing holder first, and its growth is
# what the program itself counted; an unchanged pair shows none; two runs are compared by path.
. fixtures/core.sh
HF=${HF:-build/heapforensics}
work=$(new_folder)
pid=
trap 'exec 3>&-; [ -z "$pid" ] || kill $pid 2>/dev/null; rm -rf "$work"' EXIT
command -v gcc >/dev/null || { echo "gcc is not installed"; exit 77; }
command -v gdb >/dev/null || { echo "gdb is not installed"; exit 77; }
python=
for candidate in python3 /usr/bin/python3; do
	command -v $candidate >/dev/null && $candidate -c 'import json' && python=$candidate && break
done
[ -n "$python" ] || { echo "python3 is not installed"; exit 77; }

cat >"$work/grower.c" <<'SOURCE'
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Each line of input is a step "SESSIONS LOST STABLE": that many more of each. */
struct session {
	struct session *next;
	char *text;
	char body[80];
};
struct stable {
	struct stable *next;
	char body[300];
};

static struct session *g_sessions;
static struct stable *g_stable;
static size_t session_bytes, lost_bytes, stable_bytes;

static size_t chunk(void *memory)
{
	return malloc_usable_size(memory) + sizeof(size_t);
}

static __attribute__((noinline)) void add_session(long n)
{
	struct session *session = calloc(1, sizeof(*session));
	char text[64];

	snprintf(text, sizeof(text), "the text of session number %020ld", n);
	session->text = strdup(text);
	memset(session->body, 7, sizeof(session->body));
	session->next = g_sessions;
	g_sessions = session;
	session_bytes += chunk(session) + chunk(session->text);
}

static __attribute__((noinline)) void lose(void)
{
	char *memory = malloc(500);
	memset(memory, 'x', 500);
	lost_bytes += chunk(memory);
	__asm__ volatile("" : : "r"(memory) : "memory");
}

static __attribute__((noinline)) void add_stable(void)
{
	struct stable *stable = calloc(1, sizeof(*stable));
	stable->next = g_stable;
	g_stable = stable;
	stable_bytes += chunk(stable);
}

/* What the steps left in registers and on dead stack must not look like a pointer. */
static __attribute__((noinline)) void scrub(void)
{
	volatile char dead[8192];
	for (size_t i = 0; i < sizeof(dead); i++)
		dead[i] = 0;
}

int main(void)
{
	long sessions, lost, stable;

	setvbuf(stdin, NULL, _IONBF, 0);
	setvbuf(stdout, NULL, _IONBF, 0);
	while (scanf("%ld %ld %ld", &sessions, &lost, &stable) == 3) {
		for (long i = 0; i < lost; i++)
			lose();
		for (long i = 0; i < sessions; i++)
			add_session(i);
		for (long i = 0; i < stable; i++)
			add_stable();
		scrub();
		printf("%zu %zu %zu\n", session_bytes, lost_bytes, stable_bytes);
	}
	return 0;
}
SOURCE
gcc -g -O1 -fno-builtin -o "$work/grower" "$work/grower.c" || exit 1

start() {
	rm -f "$work/in"
	mkfifo "$work/in"
	: >"$work/out"
	"$work/grower" <"$work/in" >"$work/out" &
	pid=$!
	exec 3>"$work/in"
	steps=0
}
step() { # what the program then counts goes to $told
	echo "$*" >&3
	steps=$((steps + 1))
	tries=0
	while [ "$(wc -l <"$work/out")" -lt $steps ]; do
		tries=$((tries + 1))
		[ $tries -lt 100 ] || { echo "the program does not answer"; exit 1; }
		sleep 0.1
	done
	told=$(tail -n 1 "$work/out")
}
stop() {
	exec 3>&-
	wait $pid
	pid=
}

start
step 3000 10 4000
first=$told
gcore_of "$work/core.a" $pid || { echo "gdb wrote no core"; exit 77; }
gcore_of "$work/core.b" $pid
step 700 400 0
second=$told
gcore_of "$work/core.c" $pid
stop
start # another process, as far as the second step of the first
step 3000 10 4000
step 700 400 0
third=$told
gcore_of "$work/core.d" $pid
stop
status=0

diff_of() { # OUT OLD NEW ARG...
	to=$1 old=$2 new=$3
	shift 3
	"$HF" diff -q "$work/$old" "$work/$new" "$work/grower" "$@" >"$work/$to" ||
		{ echo "WRONG: diff $old $new failed"; status=1; }
}
diff_of same.json core.a core.b --json
diff_of grown.json core.a core.c --json
diff_of back.json core.c core.a --json
diff_of runs.json core.a core.d --json --all
diff_of same.txt core.a core.b
diff_of grown.txt core.a core.c

$python - "$work" "$first" "$second" "$third" <<'PYTHON' || status=1
import json, sys
work = sys.argv[1]
first, second, third = ([int(n) for n in a.split()] for a in sys.argv[2:5])
load = lambda name: json.load(open(f"{work}/{name}.json"))
same, grown, back, runs = load("same"), load("grown"), load("back"), load("runs")
bad = []
def check(what, is_, should):
    print(f"{what}: {is_}")
    if is_ != should:
        bad.append(f"WRONG: {what} is {is_}, should be {should}")
def totals(told):
    return {r["figure"]: r for r in told["heap"]["totals"]}
def row(told, group, table, key, name):
    return next(r for r in told[group][table] if r[key].split(" (")[0] == name)

sessions, lost = second[0] - first[0], second[1] - first[1]
# The heap: what the program counted, to the byte.
check("growth of the heap", totals(grown)["heap_bytes"]["growth"], sessions + lost)
check("growth of the lost", totals(grown)["leaked_bytes"]["growth"], lost)
check("objects that came", totals(grown)["heap_objects"]["growth"], 2 * 700 + 400)
# Holders: the growing one first, exactly; the steady one not at all.
top = grown["holders"]["holders"][0]
by_holder = {r["holder"].split(" (")[0]: r["growth_bytes"] for r in grown["holders"]["holders"]}
biggest = "lost" if lost > sessions else "g_sessions"
check("the first holder", top["holder"].split(" (")[0], biggest)
check("growth of g_sessions", by_holder["g_sessions"], sessions)
check("growth of lost", by_holder["lost"], lost)
check("g_stable is listed", "g_stable" in by_holder, False)
check("before of g_sessions", row(grown, "holders", "holders", "holder", "g_sessions")["before_bytes"], first[0])
# Suspects, verdict, types, sizes, objects: they agree.
check("suspects", sorted(s["suspect"].split(" (")[0].split(":")[0] for s in grown["suspects"]["suspects"]),
      ["g_sessions", "lost"])
check("growth by type adds up", sum(r["growth_bytes"] for r in grown["types"]["types"]), sessions + lost)
check("growth by size adds up", sum(r["growth_bytes"] for r in grown["sizes"]["sizes"]), sessions + lost)
check("growth by holder adds up", sum(by_holder.values()), sessions + lost)
objects = grown["objects"]
check("matched by", objects["matched_by"], "address")
check("new", (objects["new_count"], objects["new_bytes"]), (1800, sessions + lost))
check("kept", objects["kept_count"], totals(grown)["heap_objects"]["before"])
check("gone", (objects["gone_count"], objects["resized_count"]), (0, 0))
tree = grown["paths"]["tree"]
below = [r for r in tree if r["depth"] == 1]
check("growth below g_sessions and lost", sum(r["growth_bytes"] for r in below), sessions + lost)
# Backwards everything shrinks by as much.
check("back: the heap", totals(back)["heap_bytes"]["growth"], -(sessions + lost))
check("back: gone", back["objects"]["gone_count"], 1800)
check("back: suspects", back["suspects"].get("suspects", []), [])
# An unchanged pair.
check("same: growth", [r["growth"] for r in same["heap"]["totals"]], [0] * 7)
check("same: rows", [len(same[g][t]) for g, t in (("holders", "holders"), ("paths", "tree"),
      ("types", "types"), ("sizes", "sizes"))], [0, 0, 0, 0])
check("same: new, gone", (same["objects"]["new_count"], same["objects"]["gone_count"]), (0, 0))
check("same: verdict", same["verdict"]["sentence"].startswith("Nothing grew"), True)
# Another run: by path, and the same growth.
check("runs: one process", runs["compared"]["same_process"], False)
check("runs: matched by", runs["objects"]["matched_by"], "path")
check("runs: g_sessions", row(runs, "holders", "holders", "holder", "g_sessions")["growth_bytes"],
      third[0] - first[0])
check("runs: lost", row(runs, "holders", "holders", "holder", "lost")["growth_bytes"], third[1] - first[1])
try:
    import jsonschema
    for told in (same, grown, back, runs):
        jsonschema.validate(told, json.load(open("docs/schema.json")))
except ImportError:
    print("no jsonschema: not validated")
print("\n".join(bad))
sys.exit(bool(bad))
PYTHON
grep -q "Nothing grew" "$work/same.txt" || { echo "WRONG: the text of an unchanged pair"; status=1; }
grep -q "g_sessions" "$work/grown.txt" || { echo "WRONG: the text names no holder"; status=1; }
[ $status -eq 0 ] || cat "$work/grown.txt"

gate() { # STATUS OLD NEW CONDITION
	"$HF" diff -q "$work/$2" "$work/$3" "$work/grower" --fail-if "$4" >/dev/null 2>"$work/err"
	is=$?
	[ $is -eq "$1" ] || { echo "WRONG: $4 of $2 $3 exits with $is, not $1: $(cat "$work/err")"; status=1; }
}
gate 1 core.a core.c 'growth("g_sessions") > 10%'
gate 0 core.a core.c 'growth("g_sessions") > 30%'
gate 0 core.a core.c 'growth("g_stable") > 0'
gate 1 core.a core.c 'growth_bytes > 1KiB'
gate 1 core.a core.c 'growth_objects == 1800'
gate 1 core.a core.c 'growth("lost") > 100KiB'
gate 1 core.a core.c 'leaked_objects == 410'
gate 0 core.a core.b 'growth_bytes != 0'
gate 2 core.a core.c 'growth("no such thing") > 0'
gate 2 core.a core.c 'growth > 0'
"$HF" summary -q "$work/core.a" "$work/grower" --fail-if 'growth_bytes > 1' >/dev/null 2>&1
[ $? -eq 2 ] || { echo "WRONG: summary has no growth"; status=1; }
"$HF" diff -q "$work/core.a" >/dev/null 2>&1
[ $? -eq 2 ] || { echo "WRONG: diff of one core"; status=1; }
exit $status
