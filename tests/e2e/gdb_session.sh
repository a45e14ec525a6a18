#!/bin/sh
# gdb_session.sh - a GDB session on a terminal: abbreviations, pager, colours, width, help,
# completion, Ctrl-C in the middle of a command (tests/oracle/gdb_session.py).
. fixtures/core.sh
. fixtures/gdbs.sh
command -v python3 >/dev/null || { echo "python3 is not installed"; exit 77; }
work=$(new_folder)
trap 'rm -rf "$work"' EXIT
status=0
exe=$FIX/gdb_steps

dump "$work/core" "$exe" 20 || exit 1
mkdir "$work/tmp"
cat >"$work/heapforensics" <<END
#!/bin/sh
[ ! -e "$work/slow" ] || sleep 30
exec "$HF" "\$@"
END
chmod +x "$work/heapforensics"
all_gdbs >"$work/gdbs"
[ -s "$work/gdbs" ] || { echo "no GDB can be had here"; exit 77; }
while read -r kind gdb; do
	echo "$kind"
	HEAPFORENSICS=$work/heapforensics TMPDIR=$work/tmp XDG_CACHE_HOME=$work/cache python3 tests/oracle/gdb_session.py "$gdb" \
		"$PWD/gdbplugin/heapforensics.gdb" "$exe" "$work/core" "$work/slow" </dev/null || status=1
	rm -f "$work/slow"
done <"$work/gdbs"
exit $status
