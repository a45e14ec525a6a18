#!/bin/sh
# limits.sh - what formats cannot hold as it is: an object beyond 32 bits, a list that is its own
# dominator 200,000 times over, names with separators. It is told, nothing is cut, and the viewers
# still find our figures.
. tests/clients/common.inc
need_npm
kernel_dumps || skip "the kernel writes no plain cores here, and others write 4.1 GiB of zeros"

cat >"$work/huge.c" <<'SOURCE'
#include <stdlib.h>
#include <string.h>

struct link { struct link *next; char body[40]; };
struct link *g_list;
char *g_huge;	/* 4.1 GiB, of which two words are touched */
void **g_far;

int main(void)
{
	size_t size = 4200ul << 20;
	g_huge = malloc(size);
	if (!g_huge)
		return 77;
	for (int i = 0; i < 200000; i++) {
		struct link *link = calloc(1, sizeof(*link));
		link->next = g_list;
		g_list = link;
	}
	g_far = malloc(64);
	*(void **)g_huge = malloc(100);
	*(void **)(g_huge + size - 64) = g_far;
	g_far = NULL;
	abort();
}
SOURCE
gcc -g -O1 -fno-builtin -o "$work/huge.program" "$work/huge.c" || exit 1
dump "$work/huge.core" "$work/huge.program" || exit 1
notes() { # FORMAT TEXT
	grep -q "$2" "$work/$1.notes" || wrong "$1 does not tell '$2': $(cat "$work/$1.notes")"
}
for format in heapsnapshot pprof speedscope folded; do
	"$HF" export --format=$format "$work/huge.core" "$work/huge.program" \
		-o "$work/huge.$format" 2>"$work/$format.notes" || wrong "export --format=$format"
done
bytes=$(ask huge "SELECT sum(chunk_size) FROM objects")
[ "$bytes" -gt 4404019200 ] || wrong "the heap is only $bytes"

# Sizes beyond 32 bits are told in parts that only the object holds; a far pointer is told as such.
notes heapsnapshot "1 objects of 4 GiB or more"
notes heapsnapshot "1 pointers stand 4 GiB or more into their object"
node tests/clients/devtools-build.mjs tests/clients/devtools.mjs "$work/devtools.mjs" || exit 1
node "$work/devtools.mjs" "$work/huge.heapsnapshot" >"$work/nodes" || wrong "DevTools"
compare_nodes huge "$work/nodes" || wrong "DevTools finds other figures"

# Chains of one type are folded, and told; the sums stay.
notes pprof "199999 objects stand below one of their own type"
for format in folded speedscope; do
	notes $format "199999 objects stand below one of their own type"
done
sum=$(awk '{sum += $NF} END {printf "%.0f", sum}' "$work/huge.folded")
[ "$sum" = "$bytes" ] || wrong "the stacks add up to $sum, the heap is $bytes"
depth=$(awk -F';' '{if (NF > max) max = NF} END {print max}' "$work/huge.folded")
[ "$depth" -le 6 ] || wrong "stacks are $depth deep"

# HPROF: arrays of at most 1 GiB, which together with their instance are the object. The file is
# read as it comes: it would be 4.1 GiB.
huge=$(ask huge "SELECT max(chunk_size) FROM objects")
mkfifo "$work/pipe"
"$HF" export --format=hprof -q "$work/huge.core" "$work/huge.program" -o "$work/pipe" &
python3 - "$work/pipe" "$huge" <<'PYTHON' || wrong "HPROF of a huge object"
import struct, sys
at = open(sys.argv[1], "rb", buffering=1 << 20)
assert at.read(19) == b"JAVA PROFILE 1.0.2\0"
word = struct.unpack(">I", at.read(4))[0]
at.read(8)
arrays, total, longest = [], 0, 0
while True:
    header = at.read(9)
    if not header:
        break
    tag, _, length = struct.unpack(">BII", header)
    if tag != 0x1c or length < 1 << 20:
        at.read(length)
        continue
    longest = max(longest, length)
    left = length
    head = at.read(1 + word + 4 + 4 + 1)
    if head[0] == 0x23 and struct.unpack(">I", head[1 + word + 4:1 + word + 8])[0] + len(head) == length:
        arrays.append(length - len(head))
    left -= len(head)
    while left:
        left -= len(at.read(min(left, 1 << 20)))
print(len(arrays), "arrays of", sum(arrays), "bytes; the longest record is", longest)
assert len(arrays) == 5 and max(arrays) <= 1 << 30, arrays
chunk = int(sys.argv[2])
assert chunk >= sum(arrays) > chunk - 1000, (sum(arrays), chunk)
PYTHON
wait
exit $status
