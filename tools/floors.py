#!/usr/bin/env python3
"""Refuses includes that the floors table in ARCHITECTURE.md does not allow.

Usage: floors.py [ROOT]. The table's rows are `| floor | may include |`; both columns name folders: `hub` (a whole floor),
`protocol/x` (any one room of it, which may include itself), `protocol/*.h` (the headers that lie directly in the folder).
Tests (`*_test.cc`, and `*_test.h` that several share) and fuzz targets may include anything; nothing but these and doubles
(`*_double.h`) may include a double, and nothing but tests a test's header.
"""
import pathlib
import re
import sys


def read_table(page):
    """Floor -> list of what it may include, as written."""
    section = page.split("<!-- floors -->")[1].split("<!-- /floors -->")[0]
    rows = re.findall(r"^\| *`([^`]+)` *\| *([^|]*)\|", section, re.M)
    return {floor: re.findall(r"`([^`]+)`", allowed) for floor, allowed in rows}


def floor_of(path, table):
    """The most special row of the table that a file (named from src/ or include/) belongs to."""
    parts = path.split("/")
    if len(parts) == 2 and f"{parts[0]}/*.h" in table:
        return f"{parts[0]}/*.h"
    if len(parts) > 2 and f"{parts[0]}/x" in table:
        return f"{parts[0]}/x"
    return parts[0] if parts[0] in table else None


def may_include(path, included, allowed):
    parts, target = path.split("/"), included.split("/")
    room = 2 if parts[0] in ("engine", "feature", "protocol") else 1
    if len(parts) > room and parts[:room] == target[:room]:
        return True
    return any(place == target[0] or (len(target) == 2 and place == f"{target[0]}/*.h") for place in allowed)


def violations(root):
    table = read_table((root / "ARCHITECTURE.md").read_text())
    files = {str(f.relative_to(top)): f for top in (root / "src", root / "include") for f in sorted(top.rglob("*"))
             if f.suffix in (".h", ".cc")}
    for path, file in files.items():
        if re.search(r"_(test|fuzz)\.cc$|_test\.h$", path):
            continue
        floor = floor_of(path, table)
        if floor is None:
            yield f"{file.relative_to(root)}:1: lies on no floor of the table in ARCHITECTURE.md"
            continue
        for number, line in enumerate(file.read_text().splitlines(), 1):
            found = re.match(r'\s*#\s*include\s*([<"])([^">]+)', line)
            if not found or (found[1] == "<" and found[2] not in files):
                continue
            included, where = found[2], f"{file.relative_to(root)}:{number}"
            if included not in files:
                yield f'{where}: "{included}" is no file below src/ or include/; name it from there'
            elif included.endswith("_test.h") or (included.endswith("_double.h") and not path.endswith("_double.h")):
                yield f'{where}: includes "{included}", which is for tests'
            elif not may_include(path, included, table[floor]):
                yield f'{where}: includes "{included}", but {floor} may include only: {", ".join(table[floor]) or "itself"}'


if __name__ == "__main__":
    found = list(violations(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[1])))
    print("\n".join(found) or "every include keeps to its floor")
    sys.exit(bool(found))
