#!/usr/bin/env python3
"""Checks that imports point downwards only, and name only what the manifest declares.

Reads the manifest as the package manager understands it (`swift package dump-package`), and every `import` of the sources.
"""
import json
import pathlib
import re
import subprocess
import sys

# Levels of the rooms, lowest first. A room imports lower ones; of its own level only what is listed in SIDEWAYS.
LEVELS = [
    {"MemoryUnits"},
    {"PhysicalLayout"},
    {"FrameMap"},
    {"FrameAllocator", "FrameContents", "HostArena"},
    {"Mobility"},
    {"HugePools"},
    {"AddressSpaces", "Hotplug"},
    {"Megalith", "HostMemory", "Lab"},
    {"MegalithCommand", "MegalithBench"},
]
SIDEWAYS = {("FrameContents", "FrameAllocator"), ("HostArena", "FrameContents"), ("HostMemory", "Megalith"), ("Lab", "Megalith")}
CORE = set().union(*LEVELS[:7]) - {"HostArena"}
CORE_MODULES = {"Synchronization"}


def main():
    dump = subprocess.run(["swift", "package", "dump-package"], capture_output=True, text=True, check=True).stdout
    level = {room: number for number, rooms in enumerate(LEVELS) for room in rooms}
    problems = []
    for target in json.loads(dump)["targets"]:
        name = target["name"]
        declared = set()
        for dependency in target["dependencies"]:
            for kind in ("byName", "target", "product"):
                if kind in dependency:
                    declared.add(dependency[kind][0])
        folder = pathlib.Path(target.get("path") or ("Tests/" if target["type"] == "test" else "Sources/") + name)
        for file in sorted(folder.rglob("*.swift")):
            for line, text in enumerate(file.read_text().splitlines(), 1):
                match = re.match(r"\s*(?:@\w+\s+)?(?:public |internal |package )?import (?:\w+ )?(\w+)", text)
                if match:
                    problems += check(f"{file}:{line}", name, match[1], declared, level)
    for problem in problems:
        print(problem)
    if problems:
        sys.exit(1)
    print("layers: every import points downwards and is declared")


def check(place, name, imported, declared, level):
    if imported in level:
        if imported not in declared:
            yield f"{place}: {name} imports {imported}, which the manifest does not declare for it"
        if name in level and level[imported] >= level[name] and (name, imported) not in SIDEWAYS:
            yield f"{place}: {name} imports {imported}, which is not below it"
    elif name in CORE and imported not in CORE_MODULES and imported not in declared:
        yield f"{place}: {name} is of the core and imports {imported}"


if __name__ == "__main__":
    main()
