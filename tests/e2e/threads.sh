#!/bin/sh
# threads.sh - what is answered does not depend on the number of threads: every command with one, two,
# four and seven of them, byte for byte; so is what an index keeps.
. fixtures/core.sh
work=$(new_folder)
trap 'rm -rf "$work"' EXIT
status=0
numbers=${HF_QUICK:+7}
numbers=${numbers:-2 4 7}

wrong() {
	echo "WRONG: $*"
	status=1
}

same() { # COMMAND ARGUMENTS...
	"$HF" "$@" --threads=1 --no-index -q >"$work/one" 2>&1 || wrong "$* with one thread: status $?"
	for number in $numbers; do
		"$HF" "$@" --threads="$number" --no-index -q >"$work/many" 2>&1
		cmp -s "$work/one" "$work/many" || wrong "$* differs with $number threads"
	done
	asked=$((asked + 1))
}

# The arrays that an index has, behind the header with its time.
kept() { # THREADS
	"$HF" summary -q --threads="$1" --index="$work/index" "$work/core" "$binary" >/dev/null
	tail -c +65 "$work"/index/*/arrays | cksum
	rm -rf "$work/index"
}

every_command() {
	for command in report summary arenas leaks dominators types waste check; do
		same $command --json "$work/core" "$binary"
	done
	same dominators --by=type "$work/core" "$binary"
	same report --html "$work/core" "$binary"
	for what in $("$HF" query -q --no-index --csv "$work/core" "$binary" \
		"SELECT address FROM objects WHERE id IN (7, (SELECT max(id) / 2 FROM objects))" | tail -n +2); do
		for command in object path refs dominators; do
			same $command "$work/core" "$binary" "$what"
		done
	done
	for format in pprof heapsnapshot speedscope folded hprof ndjson; do
		same export --format=$format "$work/core" "$binary"
	done
	one=$(kept 1)
	for number in $numbers; do
		[ "$(kept "$number")" = "$one" ] || wrong "an index differs with $number threads"
	done
}

# Several arenas, every kind of state and of leak; several blocks of rows; C++.
asked=0 objects=${HF_QUICK:+5000}
objects=${objects:-20000}
binary=$FIX/random_heap
dump "$work/core" "$binary" 5 "$objects" 6 "$work/truth" || exit 1
every_command
binary=$FIX/bench_heap
dump "$work/core" "$binary" threads 150000 2>/dev/null || exit 1
same report --json "$work/core" "$binary"
same check --json "$work/core" "$binary"
same query --csv "$work/core" "$binary" "SELECT count(*), sum(retained), sum(dominator) FROM nodes"
binary=$FIX/cxx_containers
dump "$work/core" "$binary" || exit 1
for command in report types waste; do
	same $command --json "$work/core" "$binary"
done
# More damage in each of several arenas than is kept: who is first is chance.
binary=$FIX/smashed
dump "$work/core" "$binary" 8 20000 40 || exit 1
for round in 1 2 3 4; do
	same check --json "$work/core" "$binary"
	same report --json "$work/core" "$binary"
done
[ $asked -gt 20 ] || wrong "only $asked commands"
exit $status
