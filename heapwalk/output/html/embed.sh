#!/bin/sh
# embed.sh NAME FILE... - the files one after the other as a C array, with the hash that a
# Content-Security-Policy wants: "sha256-" and the digest in base64.
#
# usage: embed.sh html_css report.css; the definitions go to standard output
set -e
name=$1
shift
if cat "$@" | grep -iq '</script\|</style\|<!--'; then
	echo "embed.sh: $*: would end its own element" >&2
	exit 1
fi
hash=$(cat "$@" | sha256sum | awk '{
	digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	hex = substr($1, 1, 64) "00" # 33 bytes: 44 digits, the last of which stands for padding
	for (i = 1; i <= 64; i += 3) {
		n = 0
		for (k = 0; k < 3; k++)
			n = n * 16 + index("0123456789abcdef", substr(hex, i + k, 1)) - 1
		out = out substr(digits, int(n / 64) + 1, 1) substr(digits, n % 64 + 1, 1)
	}
	print substr(out, 1, 43) "="
}')
echo "static const unsigned char ${name}_data[] = {"
cat "$@" | od -An -v -tx1 | sed 's/ \([0-9a-f][0-9a-f]\)/0x\1,/g'
echo "};"
echo "const struct html_asset $name = {${name}_data, sizeof(${name}_data), \"sha256-$hash\"};"
