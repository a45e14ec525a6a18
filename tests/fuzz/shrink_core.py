#!/usr/bin/env python3
"""shrink_core.py CORE OUT [STACK_BYTES] - a small core for the fuzz corpus: the notes, and of the
memory what is written and dumped; of stacks only the part above the stack pointer.

Only little-endian 32- and 64-bit cores; the extended register notes are left out."""
import struct
import sys

PT_LOAD, PT_NOTE, PF_W = 1, 4, 2
KEPT_NOTES = {1, 3, 6, 0x46494C45, 0x53494749, 0x200, 0x401}  # what the tool reads


def headers(core):
    wide = core[4] == 2
    phoff, = struct.unpack_from("<Q", core, 32) if wide else struct.unpack_from("<I", core, 28)
    count, = struct.unpack_from("<H", core, 56 if wide else 44)
    for i in range(count):
        if wide:
            kind, flags, offset, address, _, filesz, memsz, _ = struct.unpack_from(
                "<IIQQQQQQ", core, phoff + i * 56)
        else:
            kind, offset, address, _, filesz, memsz, flags, _ = struct.unpack_from(
                "<IIIIIIII", core, phoff + i * 32)
        yield kind, flags, offset, address, filesz, memsz


def notes(data):
    at = 0
    while at + 12 <= len(data):
        name, desc, kind = struct.unpack_from("<III", data, at)
        end = at + 12 + (name + 3 & ~3) + (desc + 3 & ~3)
        if kind in KEPT_NOTES:
            yield kind, data[at:end], data[at + 12 + (name + 3 & ~3):end]
        at = end


def main():
    core = open(sys.argv[1], "rb").read()
    stack_bytes = int(sys.argv[3]) if len(sys.argv) > 3 else 4096
    wide = core[4] == 2
    note, pointers, loads = b"", [], []
    for kind, flags, offset, address, filesz, memsz in headers(core):
        if kind == PT_NOTE:
            for number, whole, desc in notes(core[offset:offset + filesz]):
                note += whole
                if number == 1:
                    pointers.append(struct.unpack_from("<Q", desc, 112 + 19 * 8)[0] if wide
                                    else struct.unpack_from("<I", desc, 72 + 15 * 4)[0])
        elif kind == PT_LOAD:
            loads.append((flags, address, core[offset:offset + filesz], memsz))
    kept = []
    for flags, address, data, memsz in loads:
        end = address + memsz
        for pointer in pointers:
            if address <= pointer < end:
                start = pointer - 128 & ~4095
                data = data[start - address:start - address + stack_bytes]
                address, end = start, start + len(data)
        if flags & PF_W:
            data = data.rstrip(b"\0")
            data += bytes(-len(data) % 4096)
            kept.append((flags, address, data, end - address))
        else:
            kept.append((flags, address, b"", end - address))
    size = 56 if wide else 32
    count = len(kept) + 1
    at = (64 if wide else 52) + count * size
    table = []
    header = bytearray(core[:64 if wide else 52])
    struct.pack_into("<QQ" if wide else "<II", header, 32 if wide else 28, len(header), 0)
    struct.pack_into("<HHHHH", header, 54 if wide else 42, size, count, 0, 0, 0)

    def entry(kind, flags, offset, address, filesz, memsz):
        table.append(struct.pack("<IIQQQQQQ", kind, flags, offset, address, 0, filesz, memsz, 1)
                     if wide else
                     struct.pack("<IIIIIIII", kind, offset, address, 0, filesz, memsz, flags, 1))
    entry(PT_NOTE, 0, at, 0, len(note), 0)
    at += len(note)
    for flags, address, data, memsz in kept:
        # What is all zero at the end of a written segment was there: it stays in the file.
        entry(PT_LOAD, flags, at, address, len(data), memsz)
        at += len(data)
    with open(sys.argv[2], "wb") as out:
        out.write(bytes(header) + b"".join(table) + note + b"".join(d for _, _, d, _ in kept))


main()
