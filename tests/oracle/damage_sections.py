#!/usr/bin/env python3
"""A 64-bit little-endian ELF file with its compressed sections damaged.

usage: damage_sections.py frame|size FROM TO	frame: bytes in the middle of the streams are turned;
size: they are said to hold 2^40 bytes.
"""
import struct
import sys

SHF_COMPRESSED = 0x800


def main():
    what, source, target = sys.argv[1:]
    with open(source, "rb") as file:
        data = bytearray(file.read())
    (table,) = struct.unpack_from("<Q", data, 40)
    size, count = struct.unpack_from("<HH", data, 58)
    damaged = 0
    for i in range(count):
        flags, _, offset, length = struct.unpack_from("<QQQQ", data, table + i * size + 8)
        if not flags & SHF_COMPRESSED:
            continue
        damaged += 1
        if what == "size":
            struct.pack_into("<Q", data, offset + 8, 1 << 40)
        else:
            for at in range(offset + 24 + (length - 24) // 2, offset + length):
                data[at] ^= 0xff
    with open(target, "wb") as file:
        file.write(data)
    return 0 if damaged else 1


sys.exit(main())
