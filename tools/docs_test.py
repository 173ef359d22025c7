#!/usr/bin/env python3
"""Holds the documentation to the code. Looks at every *.md file and says what is not so:

- relative links lead to a file, and to a heading of it where they name one;
- `./dev WORD` names a word of ./dev, and `carillon WORD` a command;
- paths in backticks exist (`src/hub/hub.h`, and `hub/hub.h` for short);
- tests in backticks exist (`Suite.Name`, `test_name`), and so do functions (`Type::function`, in ARCHITECTURE.md);
- packaging/carillon.toml passes `carillon check-config`, and README's commands name the paths that ./dev builds.

Usage: docs_test.py [ROOT]. CARILLON_PROGRAM names another program than build/release/carillon; without one that is left out.
"""
import os
import pathlib
import re
import subprocess
import sys

FOLDERS = ("src", "include/carillon", "")
SUFFIXES = r"(?:h|cc|cpp|py|js|md|toml|json|sh|service|cmake)"
# Names in backticks that stand for any, or for what is not in this repository.
ELSEWHERE = {"Suite.Name", "/etc/carillon/carillon.toml"}


def pages(root):
    for page in sorted(root.rglob("*.md")):
        parts = page.relative_to(root).parts
        if not {"build", "node_modules", ".git"} & set(parts):
            yield page, page.read_text()


def without_code_blocks(text):
    return re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)


def heading_ids(text):
    """As GitHub makes them: lower case, punctuation away, spaces to hyphens."""
    headings = re.findall(r"^#+ +(.*)$", without_code_blocks(text), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def wrong_links(page, text):
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code_blocks(text)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, heading = target.partition("#")
        file = page.parent / path if path else page
        if not file.exists():
            yield f"a link leads nowhere: {target}"
        elif heading and heading not in heading_ids(file.read_text()):
            yield f"a link names no heading: {target}"


def code_spans(text):
    return re.findall(r"`([^`\n]+)`", without_code_blocks(text))


def wrong_paths(root, page, text):
    for span in code_spans(text):
        if not re.fullmatch(rf"[\w./-]+\.{SUFFIXES}", span) or span in ELSEWHERE or "/" not in span:
            continue
        if re.match(r"(.*/)?x(_\w+)?\.", span):
            continue  # x_test.cc stands for any.
        places = [page.parent / span] + [root / folder / span for folder in FOLDERS]
        if not any(place.exists() for place in places):
            yield f"no such file: {span}"


def wrong_tests(text, known):
    for span in code_spans(text):
        is_unit = re.fullmatch(rf"[A-Z]\w+\.(?!{SUFFIXES}$)\w+", span)
        is_process = re.fullmatch(r"test_\w+", span)
        if (is_unit or is_process) and span not in known and span not in ELSEWHERE:
            yield f"no such test: {span}"


def known_tests(root):
    known = set()
    for source in root.glob("**/*_test.cc"):
        if "build" not in source.relative_to(root).parts:
            known |= {f"{a}.{b}" for a, b in re.findall(r"^TEST(?:_F|_P)?\((\w+), (\w+)\)", source.read_text(), re.M)}
    for source in root.glob("tests/process/*.py"):
        known |= set(re.findall(r"^(?:async )?def (test_\w+)", source.read_text(), re.M))
    return known


def wrong_functions(text, sources):
    for span in code_spans(text):
        match = re.fullmatch(r"(\w+)::(\w+)", span)
        if match and not re.search(rf"\b{match[1]}::{match[2]}\b", sources) and not (
                re.search(rf"\b(class|struct|namespace) {match[1]}\b", sources) and re.search(rf"\b{match[2]}\b", sources)):
            yield f"no such function: {span}"


def dev_words(root):
    text = (root / "dev").read_text().split("case \"${1:-help}\" in")[1]
    return set(re.findall(r"[a-z]+", text.split('"$@"')[0])) | {"test"}


def commands(root):
    found = set()
    for source in (root / "src/app").glob("command_*.cc"):
        found |= set(re.findall(r'add_subcommand\("([\w-]+)"', source.read_text()))
    return found


def wrong_words(root, text, words, programs):
    for word in re.findall(r"\./dev ([a-z]+)", text):
        if word not in words:
            yield f"./dev has no word '{word}'"
    for word in re.findall(r"(?:build/release/carillon|`carillon) ([a-z][a-z-]+)", text):
        if word not in programs:
            yield f"carillon has no command '{word}'"


def wrong_configuration(root):
    program = pathlib.Path(os.environ.get("CARILLON_PROGRAM", root / "build/release/carillon"))
    if not program.exists():
        return
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CARILLON_")}
    told = subprocess.run([program, "check-config", root / "packaging/carillon.toml"], env=environment, capture_output=True,
                          text=True, timeout=20, check=False)
    if told.returncode != 0:
        yield f"check-config refuses it: {told.stderr.strip()}"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[1]).resolve()
    tests, words, programs = known_tests(root), dev_words(root), commands(root)
    sources = "\n".join(file.read_text() for folder in ("src", "include") for pattern in ("*.h", "*.cc")
                        for file in sorted((root / folder).rglob(pattern)))
    faults, seen = [], 0
    for page, text in pages(root):
        seen += 1
        found = [*wrong_links(page, text), *wrong_paths(root, page, text), *wrong_tests(text, tests),
                 *wrong_words(root, text, words, programs)]
        if page.name == "ARCHITECTURE.md":
            found += wrong_functions(text, sources)
        faults += [f"{page.relative_to(root)}: {fault}" for fault in found]
    faults += [f"packaging/carillon.toml: {fault}" for fault in wrong_configuration(root)]
    print("\n".join(faults) if faults else f"{seen} pages say what is so")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
