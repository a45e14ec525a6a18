#!/bin/sh
# given_words.sh - a word of a module's data that holds what the module's file gave it was never set:
# it is no pointer, whatever heap lies there. The core's own g_root_data, a variable of .data, is
# made such a word by writing its value into a copy of the program; all else equals the truth.
. fixtures/core.sh
command -v python3 >/dev/null || { echo "python3 is not installed"; exit 77; }
work=$(new_folder)
trap 'rm -rf "$work"' EXIT
status=0

check() { # TITLE BINARY TRUTH
	printf '%s: ' "$1"
	python3 tests/oracle/check_random_heap.py "$HF" "$work/core" "$2" "$3" || status=1
}

# A seed with which g_root_data holds something: four of five do.
for seed in 1 2 3 4 5 6 7 8 9; do
	dump "$work/core" "$FIX/random_heap" $seed 2000 2 "$work/truth" || exit 1
	grep -q '^root g_root_data ' "$work/truth" && break
	rm "$work/core"
done
holders() { # BINARY: how many holders are g_root_data
	"$HF" query --csv -q "$work/core" "$1" \
		"SELECT count(*) FROM holders WHERE name = 'g_root_data'" | tail -n 1
}
check "seed $seed, set" "$FIX/random_heap" "$work/truth"
[ "$(holders "$FIX/random_heap")" = 1 ] || { echo "WRONG: g_root_data holds nothing"; status=1; }
grep -v '^root g_root_data ' "$work/truth" >"$work/truth.given"
python3 - "$FIX/random_heap" "$work/random_heap" "$work/truth" <<'END' || exit 1
import struct
import sys

program, copy, truth = sys.argv[1:]
data = bytearray(open(program, "rb").read())
for line in open(truth):
    if line.startswith("root g_root_data "):
        target, offset = line.split()[3:]
value = int(target, 16) + int(offset)


def section_headers():
    at, = struct.unpack_from("<Q", data, 40)
    size, count = struct.unpack_from("<HH", data, 58)
    for i in range(count):
        yield struct.unpack_from("<IIQQQQIIQQ", data, at + i * size)


sections = list(section_headers())
for kind, offset, size, link in ((s[1], s[4], s[5], s[6]) for s in sections):
    if kind != 2:  # SHT_SYMTAB
        continue
    for at in range(offset, offset + size, 24):
        name, _, _, section, address, _ = struct.unpack_from("<IBBHQQ", data, at)
        text = sections[link][4] + name
        if data[text:text + 12] == b"g_root_data\0":
            place = address - sections[section][3] + sections[section][4]
            struct.pack_into("<Q", data, place, value)
            open(copy, "wb").write(data)
            sys.exit(0)
sys.exit("g_root_data is not in the symbol table")
END
check "seed $seed, given by the file" "$work/random_heap" "$work/truth.given"
[ "$(holders "$work/random_heap")" = 0 ] || { echo "WRONG: g_root_data holds a number"; status=1; }
exit $status
