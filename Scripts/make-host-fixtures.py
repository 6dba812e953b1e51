#!/usr/bin/env python3
"""Writes hosts that were asked for huge pages, from recorded boots, as test fixtures.

usage: make-host-fixtures.py RECORDINGS

RECORDINGS is as for make-oracle-fixtures.py. Tests/Fixtures/hosts/<case>.<snapshot>.txt is a sysroot in one file: each of its files
after a line `== path`. There is one for each snapshot right before a request for pages, and for the first one of every other case
that recorded frames. asked.txt has a line for each request: case, snapshot before, size, pages in the pool before, asked for, in the
pool after.
"""
import importlib.util
import json
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
spec = importlib.util.spec_from_file_location("make_sample", HERE / "make-sample.py")
make_sample = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make_sample)

# `orc pin 6000 262144` in the case's script: a page is pinned in every 256 MiB. Runs of fewer than 64 frames were not recorded, so
# that the pages are known by their places only.
PINNED = {"e-pin-every-256m-8g": 1 << 16}
ZONE_LINES = re.compile(r"Node|  pages free|\s+(min|low|high|spanned|present|managed|cma) +\d|\s+protection|\s+count:|\s+start_pfn|  pagesets|\s+cpu:")
KEPT_EVENTS = re.compile(r"nr_foll_pin|nr_free_pages")
KEPT_MEMORY = re.compile(r"Mem|Huge|Cma")


def trimmed(path, text):
    keep = {"proc/zoneinfo": ZONE_LINES, "proc/vmstat": KEPT_EVENTS, "proc/meminfo": KEPT_MEMORY}.get(path)
    lines = [line for line in text.splitlines() if not keep or keep.match(line)]
    return "\n".join(lines) + "\n"


def requests(lines):
    """(snapshot before, size, asked, snapshot after) of each write to a pool of the whole machine."""
    last, wanted = None, None
    for line in lines:
        if match := re.match(r"@@WRITE (\d+) -> /sys/kernel/mm/hugepages/hugepages-(\d+)kB/nr_hugepages", line):
            wanted = (last, int(match[2]), int(match[1])) if int(match[1]) else None
        elif match := re.match(r"@@SNAP (\w+)", line):
            if wanted:
                yield *wanted, match[1]
            last, wanted = match[1], None


def pools(lines, label, kilobytes):
    start = next(i for i, line in enumerate(lines) if line.startswith(f"@@SNAP {label}"))
    path = f"/sys/kernel/mm/hugepages/hugepages-{kilobytes}kB/nr_hugepages "
    return next(int(line.split()[1]) for line in lines[start:] if line.startswith(path))


def has_frames(lines, label):
    start = next(i for i, line in enumerate(lines) if line.startswith(f"@@SNAP {label}"))
    return "@@BEGIN kpageflags" in lines[start : lines.index(f"@@SNAPEND {label}", start)]


def main():
    source = pathlib.Path(sys.argv[1])
    target = HERE.parent / "Tests/Fixtures/hosts"
    target.mkdir(parents=True, exist_ok=True)
    asked = []
    for folder in sorted(source.iterdir()):
        if not (folder / "summary.json").exists():
            continue
        log = folder / "serial.log"
        lines = log.read_text(errors="replace").replace("\r", "").split("\n")
        labels = {snapshot["label"] for snapshot in json.loads((folder / "summary.json").read_text())}
        wanted = {"boot"} & labels
        for before, kilobytes, count, after in requests(lines):
            size = "1G" if kilobytes == 1 << 20 else "2M"
            asked.append(
                f"{folder.name} {before} {size} {pools(lines, before, kilobytes)} {count} {pools(lines, after, kilobytes)}")
            wanted.add(before)
        for label in sorted(wanted):
            if not has_frames(lines, label):
                continue
            files = {}
            make_sample.sample(log, label, files.__setitem__, PINNED.get(folder.name))
            text = "".join(f"== {path}\n{trimmed(path, content)}" for path, content in sorted(files.items()))
            (target / f"{folder.name}.{label}.txt").write_text(text)
    (target / "asked.txt").write_text("\n".join(asked) + "\n")


main()
