#!/usr/bin/env python3
"""Trims recorded boots of real kernels to test fixtures.

usage: make-oracle-fixtures.py RECORDINGS

Each folder of RECORDINGS holds a serial.log (console output, the kernel's messages first) and a summary.json (snapshots
of zones and memory blocks). Tests/Fixtures/oracle/<case>/ gets boot.log, the messages about physical memory,
iomem.txt, the resource tree, and expected.txt, the zones and memory blocks, both right after boot. Where the command line
asks for 1 GiB pages, and frames were recorded: reserved.txt, the reserved frames, and pages.txt, those pages' first frames. watermarks.txt: managed frames, the marks and the
protection of each populated zone, by the kernel's zoneinfo. hotplug.txt, where memory came: for each snapshot after boot the zones from Normal up (start, spanned, present,
managed), the memory blocks that came by state and zone, and, where it is known, the frames that their descriptors took.
"""
import json
import pathlib
import re
import sys

JUNK = ["SeaBIOS (version 1.16.2)", "Booting from ROM..", "\x1b[2J", "Probing EDD (edd=off to disable)... ok"]
KEEP = re.compile(
    r"Linux version|Command line: |physical RAM map|BIOS-e820:|user: |DMI: |SMBIOS|e820: |last_pfn|RAMDISK|Hypervisor|"
    r"ACPI: (RSDP|SRAT)|SRAT: |NUMA|Faking|Zone ranges|  (DMA|DMA32|Normal|Movable|Device) |Movable zone start|"
    r"  Node \d|Early memory node|  node +\d"
)
TWICE = {"a-plain-4g", "b-holes-6g"}


def trimmed(line):
    line = re.sub(r"(Linux version \S+).*", r"\1 (builder@host) #1 SMP", line)
    return line.rstrip("\r\n")


def boots(lines):
    boot = []
    for line in lines:
        if "Linux version" in line and boot:
            yield boot
            boot = []
        boot.append(line)
    yield boot


def memory_messages(boot):
    kept, in_ranges = [], False
    for line in boot:
        if in_ranges and not re.search(r"  node +\d", line):
            break
        in_ranges = in_ranges or "Early memory node ranges" in line
        if KEEP.search(line):
            kept.append(trimmed(line))
    return kept


def first_section(lines, name):
    start = lines.index(f"@@BEGIN {name}") + 1
    return lines[start : lines.index("@@END", start)]


def write_boot_pages(out, lines):
    start = next(i for i, line in enumerate(lines) if line.startswith("@@SNAP boot"))
    reserved, pages = [], []
    for line in lines[start : lines.index("@@SNAPEND boot", start)]:
        if match := re.match(r"pfn 0x(\w+)-0x(\w+) \d+ (reserved|hugetlb)", line):
            if match[3] == "reserved":
                reserved.append(f"0x{match[1]}-0x{match[2]}")
            else:
                pages += [f"{frame:#x}" for frame in range(int(match[1], 16), int(match[2], 16), 1 << 18)]
    (out / "reserved.txt").write_text("\n".join(reserved) + "\n")
    (out / "pages.txt").write_text("\n".join(pages) + "\n")


def watermarks(lines):
    """A line a zone: node, name, managed, min, low, high, protection."""
    for part in re.split(r"\n(?=Node )", "\n".join(lines)):
        head = re.match(r"Node (\d+), zone\s+(\w+)", part)
        figures = [re.search(rf"\n\s+{key}\s+(\d+)", part) for key in ["managed", "min", "low", "high"]]
        protection = re.search(r"protection: \(([^)]*)\)", part)
        if head and all(figures) and figures[0][1] != "0":
            kept = protection[1].replace(" ", "")
            yield " ".join([head[1], head[2]] + [figure[1] for figure in figures] + [kept])


def write_hotplug(out, folder):
    snapshots = json.loads((folder / "summary.json").read_text())
    lines = ["kernel " + json.loads((folder / "meta.json").read_text())["kernel"], "options " + (folder / "cmdline").read_text().strip()]
    first = snapshots[0]
    for snapshot in snapshots[1:]:
        lines.append(f"snapshot {snapshot['label']}")
        for zone in snapshot["zones"]:
            if zone["zone"] in ("Normal", "Movable"):
                lines.append("zone {zone} {start_pfn} {spanned} {present} {managed}".format(**zone))
        for text in snapshot["blocks"]:
            match = re.match(r"block (\d+)-(\d+) .*state=(\w+) valid_zones=\[(\w+)", text)
            if match and int(match[1]) >= 32:
                lines.append(f"blocks {match[1]} {match[2]} {match[3]} {match[4]}")
        taken = snapshot["nr_memmap"].get("nr_memmap_pages")
        if taken is None and snapshot["label"] == "added" and not any("online " in line for line in lines):
            taken = (first["MemFree"] - snapshot["MemFree"]) // 4
        if taken is not None:
            lines.append(f"memmap {taken}")
    (out / "hotplug.txt").write_text("\n".join(lines) + "\n")


def main():
    source = pathlib.Path(sys.argv[1])
    target = pathlib.Path(__file__).resolve().parent.parent / "Tests/Fixtures/oracle"
    for folder in sorted(source.iterdir()):
        if not (folder / "summary.json").exists():
            continue
        lines = (folder / "serial.log").read_text(errors="replace").splitlines()
        copies = [memory_messages(boot) for boot in boots(lines) if "Linux version" in boot[0]]
        log = JUNK + copies[0] + (copies[1] if folder.name in TWICE else [])
        snapshot = next(s for s in json.loads((folder / "summary.json").read_text()) if s["label"] == "boot")
        expected = []
        for text in snapshot["blocks"]:
            if match := re.match(r"block_size_bytes (\S+)", text):
                expected.append(f"block-size {match[1]}")
            if match := re.match(r"block (\d+)-(\d+) .*node=(\d+)", text):
                expected.append(f"blocks {match[1]} {match[2]} node {match[3]}")
        for zone in snapshot["zones"]:
            expected.append("zone {node} {zone} {start_pfn} {spanned} {present}".format(**zone))
        out = target / folder.name
        out.mkdir(parents=True, exist_ok=True)
        (out / "boot.log").write_text("\n".join(log) + "\n")
        (out / "iomem.txt").write_text("\n".join(first_section(lines, "iomem")) + "\n")
        (out / "expected.txt").write_text("\n".join(expected) + "\n")
        (out / "watermarks.txt").write_text("\n".join(watermarks(first_section(lines, "zoneinfo"))) + "\n")
        if folder.name.startswith(("f-", "s-classic-hp-")):
            write_hotplug(out, folder)
        if "hugepagesz=1G" in (folder / "cmdline").read_text():
            write_boot_pages(out, lines)


main()
