#!/bin/sh
# snapshot.sh - a snapshot of a stopped process equals gdb's gcore of it: registers, every page that
# both have, and what heapforensics says of the heap; gdb unwinds all its threads; the process runs
# on as before; an interrupted snapshot leaves nothing. A running process can be analysed by its pid.
. fixtures/core.sh
HF=${HF:-build/heapforensics}
work=$(new_folder)
pid=
trap '[ -z "$pid" ] || kill -9 $pid 2>/dev/null; rm -rf "$work"' EXIT
command -v gdb >/dev/null || { echo "gdb is not installed"; exit 77; }
python=
for candidate in python3 /usr/bin/python3; do
	command -v $candidate >/dev/null && $candidate -c 'import json' && python=$candidate && break
done
[ -n "$python" ] || { echo "python3 is not installed"; exit 77; }
status=0
wrong() { echo "WRONG: $*"; status=1; }
state() { sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$pid/status"; }
# On its way there a process is running (R) for as long as it waits for a processor.
settles() { # STATE
	for try in $(seq 50); do
		[ "$(state)" = "$1" ] && return 0
		sleep 0.1
	done
	return 1
}

"$FIX/idle_heap" 20000 4 >"$work/told" &
pid=$!
for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	grep -qs ready "$work/told" && break
	sleep 0.1
done
grep -q ready "$work/told" || { echo "the program does not start"; exit 1; }
gdb -q -batch -nx -p $pid -ex quit >/dev/null 2>"$work/attach"
if grep -q 'not permitted' "$work/attach"; then
	echo "ptrace is not allowed here"
	exit 77
fi
kill -STOP $pid
settles T || wrong "the process does not stop: $(state)"
gcore_of "$work/core.gcore" $pid || { echo "gdb wrote no core"; exit 77; }
kill -STOP $pid # gdb lets it go on
settles T || wrong "the process does not stop again: $(state)"
"$HF" snapshot -q $pid -o "$work/core.hf" >/dev/null || wrong "snapshot failed"
settles T || wrong "a stopped process is $(state) after a snapshot"
"$HF" snapshot -q --zstd $pid -o "$work/core.zst" >/dev/null || wrong "snapshot --zstd failed"
"$HF" snapshot -q --no-pause $pid -o "$work/core.fuzzy" >/dev/null || wrong "snapshot --no-pause failed"
"$HF" report --json -q $pid >"$work/live.json" || wrong "report PID failed"
kill -CONT $pid
settles S || wrong "the process does not run on: $(state)"
ls "$work" | grep -q part && wrong "half a file is left: $(ls "$work")"

# What gdb reads in it, and what in its own.
for core in gcore hf; do
	gdb -q -batch -nx "$FIX/idle_heap" "$work/core.$core" -ex 'thread apply all -ascending bt' \
		-ex 'thread apply all -ascending info registers' -ex 'thread apply all -ascending p $_siginfo.si_signo' \
		-ex 'p g_list' -ex 'p t_own' 2>/dev/null |
		grep -v -e '^\[New LWP' -e '^Core was' -e '^Program terminated' -e si_signo -e '^\$' \
			-e '^\[Current' -e 'Unexpected size of section' -e 'k[0-7] ' >"$work/gdb.$core"
done
diff "$work/gdb.gcore" "$work/gdb.hf" >"$work/diff" ||
	{ wrong "gdb reads another state than in its own core"; head -40 "$work/diff"; }
[ "$(grep -c 'idle_thread (' "$work/gdb.hf")" = 4 ] || wrong "not all threads' backtraces are whole"
grep -q ' main (' "$work/gdb.hf" || wrong "main is not in the leader's backtrace"

# Every page that both have, and the sidecar.
$python - "$work" <<'PYTHON' || status=1
import json, struct, sys
work = sys.argv[1]
def segments(path):
    data = open(path, 'rb').read()
    phoff, = struct.unpack_from('<Q', data, 32)
    count, = struct.unpack_from('<H', data, 56)
    for i in range(count):
        kind, flags, offset, address, _, size, memory, _ = struct.unpack_from('<IIQQQQQQ', data, phoff + 56 * i)
        if kind == 1:
            yield address, data[offset:offset + size]
def pages(path):
    found = {}
    for address, data in segments(path):
        for at in range(0, len(data), 4096):
            found[address + at] = data[at:at + 4096]
    return found
ours, theirs = pages(work + '/core.hf'), pages(work + '/core.gcore')
both = ours.keys() & theirs.keys()
differ = [hex(page) for page in sorted(both) if ours[page] != theirs[page]]
heap = [page for page in theirs if page not in ours and theirs[page].strip(b'\0')]
bad = 0
if len(both) < 500 or differ:
    print('WRONG: %d pages in both, of which differ: %s' % (len(both), differ[:5])); bad = 1
side = json.load(open(work + '/core.hf.json'))
mapped = [line for line in side['maps'] if any(
    int(line.split('-')[0], 16) <= page < int(line.split('-')[1].split()[0], 16) for page in heap)]
if any(len(line.split()) < 6 or 'w' in line.split()[1] for line in mapped):
    print('WRONG: pages only in the gcore: %s' % mapped[:5]); bad = 1
if not side['consistent'] or not side['complete'] or side['process']['threads'] != 5:
    print('WRONG: sidecar', side['consistent'], side['complete'], side['process']); bad = 1
if not any(m['path'].endswith('idle_heap') and m['build_id'] for m in side['modules']):
    print('WRONG: no build-id of the program in', side['modules']); bad = 1
fuzzy = json.load(open(work + '/core.fuzzy.json'))
if fuzzy['consistent'] or fuzzy['mode'] != 'no-pause':
    print('WRONG: a fuzzy image is not marked so'); bad = 1
sys.exit(bad)
PYTHON

# The same heap in all of them, as the program counts it.
for core in gcore hf zst; do
	"$HF" query -q "$work/core.$core" "$FIX/idle_heap" \
		"SELECT address, usable, leak_kind, type, retained, dominator FROM objects ORDER BY 1" \
		>"$work/objects.$core" || wrong "query of core.$core failed"
done
cmp "$work/objects.gcore" "$work/objects.hf" || wrong "the gcore and the snapshot have different heaps"
cmp "$work/objects.hf" "$work/objects.zst" || wrong "the compressed snapshot has another heap"
"$HF" report --json -q "$work/core.hf" "$FIX/idle_heap" >"$work/core.json"
$python - "$work" <<'PYTHON' || status=1
import json, sys
work = sys.argv[1]
core, live = json.load(open(work + '/core.json')), json.load(open(work + '/live.json'))
told = [line.split()[1:] for line in open(work + '/told') if line.startswith('bytes')]
for part in 'memory', 'leaks', 'dominators', 'histogram', 'integrity':
    if core[part] != live[part]:
        print('WRONG: by pid another heap than by core:', part); sys.exit(1)
top = core['dominators']['tree'][0]
if not top['what'].startswith('g_list') or int(told[0][0]) != top['retained_bytes']:
    print('WRONG: program counts %s bytes, snapshot %s' % (told[0][0], top)); sys.exit(1)
PYTHON
"$HF" report -q $pid "$FIX/idle_heap" | grep -q "process $pid heapforensics snapshot" || wrong "report PID"

# A note that was tampered with is evidence like any other.
$python - "$work" <<'PYTHON' || exit 1
import random, sys
work = sys.argv[1]
data = bytearray(open(work + '/core.hf', 'rb').read())
at = data.index(b'{"schema"') if b'{"schema"' in data else data.index(b'heapforensics-snapshot/1') - 12
random.seed(7)
for i in range(20):
    copy = bytearray(data)
    if i == 0:
        copy[at:at + 4000] = b'[' * 4000
    elif i == 1:
        copy[at:at + 4000] = (b'{"memory":{"page_bytes":9223372036854775807,"pages_skipped":{"swapped":9223372036854775807}}}'
                              .ljust(4000))
    else:
        for _ in range(40):
            copy[at + random.randrange(2000)] = random.randrange(256)
    open(work + '/mutated.%d' % i, 'wb').write(copy)
PYTHON
for core in "$work"/mutated.*; do
	"$HF" report --json -q "$core" "$FIX/idle_heap" >"$work/mutated.out" 2>&1
	[ $? -le 2 ] || wrong "a tampered note: exit status $?"
	rm -f "$core"
done

# Frozen, where a cgroup v2 of our own can be made: the same memory, and it runs on.
v2=$(sed -n 's/^[^ ]* [^ ]* [^ ]* [^ ]* \([^ ]*\) .* - cgroup2 .*/\1/p' /proc/self/mountinfo | head -n 1)
if [ -n "$v2" ] && mkdir "$v2/heapforensics-test-$$" 2>/dev/null; then
	group=$v2/heapforensics-test-$$
	if [ -e "$group/cgroup.freeze" ] && echo $pid >"$group/cgroup.procs" 2>/dev/null; then
		"$HF" snapshot -q --freeze $pid -o "$work/core.frozen" >/dev/null || wrong "snapshot --freeze failed"
		grep -q '^frozen 0' "$group/cgroup.events" || wrong "the cgroup is still frozen"
		"$HF" query -q "$work/core.frozen" "$FIX/idle_heap" \
			"SELECT address, usable, leak_kind, type, retained, dominator FROM objects ORDER BY 1" \
			>"$work/objects.frozen"
		cmp "$work/objects.hf" "$work/objects.frozen" || wrong "the frozen snapshot has another heap"
		echo $pid >"$v2/cgroup.procs"
	fi
	rmdir "$group"
fi

# Interrupted, refused, gone: nothing is left, and the process runs on.
for delay in 0 0.005 0.02 0.04; do
	"$HF" snapshot -q $pid -o "$work/core.cut" >/dev/null 2>&1 &
	snapshot=$!
	sleep $delay
	kill -TERM $snapshot 2>/dev/null
	wait $snapshot && [ ! -s "$work/core.cut" ] && wrong "no core, and no failure told"
	rm -f "$work/core.cut" "$work/core.cut.json"
	ls "$work" | grep -q core.cut && wrong "half a file is left: $(ls "$work")"
done
mkdir "$work/folder"
"$HF" snapshot -q $pid -o "$work/folder" 2>/dev/null && wrong "a folder was taken for a file"
"$HF" snapshot -q 999999999 2>/dev/null && wrong "a process that is not there"
"$HF" snapshot -q $pid -o "$work/none/core" 2>/dev/null && wrong "wrote to a folder that is not there"
sleep 0.1
settles S || wrong "the process does not run on: $(state)"
exit $status
