#!/bin/sh
# types_openssl.sh - OpenSSL's BIOs, connections, contexts and hash tables are what the program made,
# with OpenSSL itself stripped.
. fixtures/core.sh
command -v python3 >/dev/null || { echo "python3 is not installed"; exit 77; }
pkg-config --exists 'openssl >= 3.0' 'openssl < 3.2' 2>/dev/null ||
	{ echo "libssl-dev 3.0 or 3.1 is not installed"; exit 77; }
work=$(new_folder)
trap 'rm -rf "$work"' EXIT

# shellcheck disable=SC2046
gcc -std=gnu11 -D_GNU_SOURCE -I. -O1 -w -o "$work/program" fixtures/optional/openssl_objects.c \
	$(pkg-config --cflags --libs openssl) || exit 1
dump "$work/core" "$work/program" "$work/truth" || exit 1
"$HF" query --csv -q "$work/core" "$work/program" \
	"SELECT address, type, type_source, usable FROM objects" >"$work/types.csv" || exit 1
python3 tests/oracle/check_types.py "$work/truth" "$work/types.csv" 100 100
status=$?
counts=$("$HF" query --csv -q "$work/core" "$work/program" \
	"SELECT sum(type = 'SSL'), sum(type = 'SSL_CTX'), sum(type = 'OpenSSL LHASH node') >= 2000,
		sum(type = 'OpenSSL LHASH') - sum(type = 'OpenSSL LHASH buckets')
	FROM objects" | tail -n 1 | tr -d '\r')
[ "$counts" = 60,1,1,0 ] || { echo "WRONG: too many or too few: $counts"; status=1; }
exit $status
