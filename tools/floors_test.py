#!/usr/bin/env python3
"""Plants wrong includes in a small house and sees whether floors.py finds each, and nothing else."""
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
HOUSE = {  # file -> what it includes; all of it is allowed
    "include/carillon/result.h": [],
    "src/base/log.h": ["carillon/result.h"],
    "src/wire/json/slicer.h": ["base/log.h", "wire/json/scanner.h"],
    "src/wire/json/scanner.h": [],
    "src/os/tcp.h": ["base/log.h"],
    "src/hub/hub.h": ["base/log.h"],
    "src/protocol/dialog.h": ["hub/hub.h"],
    "src/protocol/native/native.h": ["protocol/dialog.h", "protocol/native/codec.h", "wire/json/slicer.h"],
    "src/protocol/native/codec.h": [],
    "src/protocol/sse/sse.h": ["hub/hub.h"],
    "src/engine/memory/memory.h": ["hub/hub.h"],
    "src/transport/router.h": ["protocol/dialog.h"],
    "src/server/server.h": ["protocol/sse/sse.h", "os/tcp.h", "engine/memory/memory.h"],
    "src/app/main.cc": ["server/server.h", "base/log.h"],
    "src/hub/hub_test.cc": ["engine/memory/memory.h", "engine/memory/memory_double.h", "hub/hub_test.h"],
    "src/hub/hub_test.h": ["engine/memory/memory.h", "engine/memory/memory_double.h"],
    "src/engine/memory/memory_double.h": ["engine/memory/memory.h", "engine/memory/clock_double.h"],
    "src/engine/memory/clock_double.h": [],
}
WRONG = [
    ("include/carillon/result.h", "base/log.h"),
    ("src/base/log.h", "wire/json/slicer.h"),
    ("src/wire/json/slicer.h", "hub/hub.h"),
    ("src/os/tcp.h", "wire/json/slicer.h"),
    ("src/hub/hub.h", "protocol/dialog.h"),
    ("src/protocol/dialog.h", "protocol/native/native.h"),
    ("src/protocol/native/native.h", "protocol/sse/sse.h"),
    ("src/protocol/native/native.h", "transport/router.h"),
    ("src/engine/memory/memory.h", "os/tcp.h"),
    ("src/transport/router.h", "protocol/native/native.h"),
    ("src/server/server.h", "app/main.cc"),
    ("src/server/server.h", "engine/memory/memory_double.h"),
    ("src/engine/memory/memory_double.h", "os/tcp.h"),
    ("src/engine/memory/memory_double.h", "hub/hub_test.h"),
    ("src/hub/hub.h", "hub/hub_test.h"),
    ("src/app/main.cc", "hub/hub.h"),
    ("src/app/main.cc", "../hub/hub.h"),
]


def floors(extra):
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        shutil.copy(HERE.parent / "ARCHITECTURE.md", root)
        for file, includes in HOUSE.items():
            place = root / file
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text("".join(f'#include "{i}"\n' for i in includes + extra.get(file, [])))
        return subprocess.run([sys.executable, HERE / "floors.py", root], capture_output=True, text=True)


clean = floors({})
assert clean.returncode == 0, clean.stdout
for file, wrong in WRONG:
    run = floors({file: [wrong]})
    line = len(HOUSE[file]) + 1
    assert run.returncode == 1 and run.stdout.startswith(f"{file}:{line}: ") and wrong in run.stdout, (file, wrong, run.stdout)
    assert len(run.stdout.splitlines()) == 1, run.stdout
print(f"{len(WRONG)} planted violations found, each with its line")
