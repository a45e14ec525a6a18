#!/usr/bin/env python3
"""compare_hprof.py TOLD OBJECTS HOLDERS: what VisualVM's library found is what we say.

TOLD      lines of HeapReader.java
OBJECTS   CSV of id,address,chunk_size,usable,retained,dominator,type by id
HOLDERS   CSV of retained,name by id

Java's terms (heapwalk/output/export_hprof.h): an object of up to 64 words is an instance, a
larger one an instance with arrays of its own (ids address + 1 and up). Where every word of a class
points somewhere, its instances are a word larger than the objects; that is told, counted here, and
carried up the dominator tree.
"""
import csv
import sys

SMALL = 64 * 8


def rows(path):
    return list(csv.reader(open(path)))[1:]


classes, instances, order = {}, {}, []
for line in open(sys.argv[1]):
    what, *rest = line.rstrip("\n").split("\t")
    if what == "class":
        classes[rest[0]] = (int(rest[1]), int(rest[2]))
    elif what == "instance":
        instances[int(rest[0], 16)] = (int(rest[1]), int(rest[2]), rest[3])
        order.append(int(rest[0], 16))
objects, holders = rows(sys.argv[2]), rows(sys.argv[3])
bad = enlarged = enlarged_bytes = 0


def check(what, is_, should):
    global bad
    if is_ != should:
        bad += 1
        if bad < 20:
            print(f"WRONG: {what}: {is_}, should be {should}")


def class_name(type_, size):
    name = type_.replace("/", "\u2215")
    name = "\u27e6" + name[1:] if name.startswith("[") else name
    return f"{name} ({size})" if size <= SMALL else name


# Sizes: of each object, its instance and its own arrays.
count = len(objects)
extra = [0] * count
expected = {}
for index, (id_, address, size, usable, retained, dominator, type_) in enumerate(objects):
    at, size = int(address, 16), int(size)
    if at not in instances:
        check(f"object at {address} is there", False, True)
        continue
    bytes_, _, name = instances[at]
    own = 1 # the ids that follow are its arrays: nothing else lies within 16 bytes
    while size > SMALL and at + own <= at + 15 and (at + own in instances or own == 1):
        if at + own in instances:
            bytes_ += instances[at + own][0]
        own += 1
    extra[index] = bytes_ - size
    if extra[index]:
        enlarged += 1
        enlarged_bytes += extra[index]
        check(f"object at {address} is larger by at most two headers", 0 < extra[index] <= 64, True)
    check(f"class of {address}", name, class_name(type_, size))
    n, b = expected.get(name, (0, 0))
    expected[name] = (n + 1, b + instances[at][0])

# Classes: instances and bytes.
for name, (n, b) in expected.items():
    check(f"class {name}", classes.get(name), (n, b))

# Retained: ours, and what the dominated objects are larger by. Dominators of objects are objects
# with any id: children first, by depth.
parent = [int(o[5]) if o[5] and int(o[5]) < count else None for o in objects]
depth = [None] * count
for start in range(count):
    chain, at = [], start
    while at is not None and depth[at] is None:
        chain.append(at)
        at = parent[at]
    above = depth[at] if at is not None else 0
    for node in reversed(chain):
        above += 1
        depth[node] = above
subtree = extra[:]
for index in sorted(range(count), key=lambda i: -depth[i]):
    if parent[index] is not None:
        subtree[parent[index]] += subtree[index]
for index, (id_, address, size, usable, retained, dominator, type_) in enumerate(objects):
    if int(address, 16) in instances:
        check(f"retained of {address} ({type_})", instances[int(address, 16)][1],
              int(retained) + subtree[index])

# Holders: instances before all objects, in our order; they have a size of their own.
first = int(objects[0][1], 16)
tops = [i for i in order if i < first and instances[i][2] != "java.lang.Object[]"]
check("holders and (lost)", len(tops), len(holders) + 1)
by_holder = {}
for index in range(count):
    if objects[index][5] and parent[index] is None:
        by_holder[int(objects[index][5])] = by_holder.get(int(objects[index][5]), 0) + subtree[index]
for number, (top, (id_, retained, name)) in enumerate(zip(tops, holders)):
    size = instances[top][0] + (instances[top + 1][0] if top + 1 in instances and
                                instances[top + 1][2] == "java.lang.Object[]" else 0)
    check(f"holder {name}", instances[top][2], class_name(name, SMALL + 1))
    check(f"retained of {name}", instances[top][1],
          int(retained) + size + by_holder.get(int(id_), 0))
print(f"{count} objects, {len(holders)} holders, {len(classes)} classes; "
      f"{enlarged} objects are {enlarged_bytes} bytes larger; {bad} wrong")
print(f"enlarged {enlarged} {enlarged_bytes}")
sys.exit(bool(bad))
