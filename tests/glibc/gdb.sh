#!/bin/sh
# gdb.sh - the tests of the commands inside GDB with the oldest GDB that has what they need, bullseye's
# 10, and the newest, sid's; run by those systems' own loaders, on this system's programs.
. fixtures/core.sh
. fixtures/roots.sh
work=$(new_folder)
trap 'rm -rf "$work"' EXIT
status=0

add_gdb() { # ROOT
	[ -x "$1/usr/bin/gdb" ] && return
	DEBIAN_FRONTEND=noninteractive chroot "$1" sh -c '
		apt-get -o Acquire::Check-Valid-Until=false update -qq
		apt-get install -y -qq --no-install-recommends gdb-minimal' >"$1.log" 2>&1
	[ -x "$1/usr/bin/gdb" ]
}

# A wrapper, as that system's libraries are not this one's.
wrapper() { # ROOT SUITE
	loader=$(ls "$1"/usr/lib/x86_64-linux-gnu/ld-*.so* "$1"/lib/x86_64-linux-gnu/ld-*.so* 2>/dev/null | head -n 1)
	[ -n "$loader" ] || return 1
	cat >"$work/gdb-$2" <<END
#!/bin/sh
PYTHONHOME=$1/usr exec "$loader" --library-path "$1/usr/lib/x86_64-linux-gnu:$1/lib/x86_64-linux-gnu" \\
	"$1/usr/bin/gdb" --data-directory="$1/usr/share/gdb" "\$@"
END
	chmod +x "$work/gdb-$2"
	"$work/gdb-$2" --version >/dev/null 2>&1
}

gdbs=
for suite in ${HF_SUITES:-bullseye sid}; do
	case $suite in *:*) continue ;; esac # the same system, with another glibc
	root=$(root_of $suite) || { [ $? -eq 77 ] && continue; exit 1; }
	if add_gdb "$root" && wrapper "$root" $suite; then
		echo "$suite: $("$work/gdb-$suite" --version | head -n 1)"
		gdbs="$gdbs${gdbs:+ }$suite=$work/gdb-$suite"
	else
		echo "$suite: no GDB can be had there"
	fi
done
[ -n "$gdbs" ] || { echo "no other GDB can be had here"; exit 77; }
export HF_GDBS="$gdbs"
for test in gdb_core gdb_live gdb_errors gdb_session; do
	sh tests/e2e/$test.sh >"$work/log" 2>&1
	case $? in
	0) echo "$test: ok" ;;
	77) echo "$test: skipped: $(tail -n 1 "$work/log")" ;;
	*) status=1; echo "$test: FAILED"; tail -n 40 "$work/log" ;;
	esac
done
exit $status
