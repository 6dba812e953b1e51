#!/usr/bin/env python3
"""Makes a sysroot that `megalith --sysroot` reads from one snapshot of a recorded boot.

usage: make-sample.py SERIAL_LOG SNAPSHOT FOLDER

A recorded boot is a serial log with sections `@@SNAP label` ... `@@SNAPEND`, inside them `@@BEGIN name` ... `@@END`, and
the frames as runs of like ones (`pfn 0x40000-0x80000 262144 buddy`). Frames between the listed runs are written without
flags: what they were was not recorded.
"""
import os
import re
import sys

FLAGS = {
    "reserved": 1 << 32,
    "buddy": 1 << 10,
    "zeroflags": 0,
    "nopage": 1 << 20,
    "slab": 1 << 7,
    "pgtable": 1 << 26,
    "lru": 1 << 5 | 1 << 14,
    "anon": 1 << 5 | 1 << 12 | 1 << 14,
    "other": 1 << 11,
}
HUGE, HEAD, TAIL = 1 << 17, 1 << 15, 1 << 16


def sections(lines):
    found, name = {}, None
    for line in lines:
        if line.startswith("@@BEGIN "):
            name = line.split()[1]
            found[name] = []
        elif line.startswith("@@END"):
            name = None
        elif name:
            found[name].append(line)
    return found


def sample(log, label, write, pinned=None):
    """Calls write(path, text) for each file. Frames without a record at multiples of `pinned` frames are anonymous memory."""
    lines = open(log, errors="replace").read().replace("\r", "").split("\n")
    start = next(i for i, l in enumerate(lines) if l.startswith(f"@@SNAP {label}"))
    end = next(i for i, l in enumerate(lines) if l.startswith("@@SNAPEND") and i > start)
    boot = sections(lines[:start])
    snap = sections(lines[start:end])
    if "kpageflags" not in snap:
        sys.exit(f"{log}: the snapshot {label} has no frames. Name another one.")

    for name in ("zoneinfo", "buddyinfo", "pagetypeinfo", "meminfo", "vmstat"):
        write(f"proc/{name}", "\n".join(snap[name]) + "\n")
    version = next(l for l in lines if "Linux version " in l)
    write("proc/version", "Linux version " + version.split("Linux version ")[1].split()[0] + "\n")
    write("megalith-capture", "megalith.capture/1\nbasePage 4096\n")
    iomem = [l for l in snap["iomem"] if re.match(r"\S", l)]
    names = {"System RAM": "System RAM", "Reserved": "Reserved"}
    write("proc/iomem", "".join(f"{l.split(' : ')[0]} : {names.get(l.split(' : ')[1], 'device')}\n" for l in iomem))
    keys = ("memmap=", "mem=", "huge", "default_hugepagesz=", "kernelcore=", "movablecore=", "numa=", "cma=")
    words = boot["cmdline"][0].split()
    write("proc/cmdline", " ".join(w for w in words if w.startswith(keys)) + "\n")

    for line in snap["hugepages"]:
        path, _, value = line.partition(" ")
        if value.isdigit():
            write(path[1:], value + "\n")
    write_blocks(write, snap["blocks"])
    write_frames(write, snap["kpageflags"], pinned)


def main(log, label, folder):
    def write(path, text):
        path = os.path.join(folder, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)

    sample(log, label, write)


def write_blocks(write, lines):
    text, blocks = "", 0
    for line in lines:
        if line.startswith("block_size_bytes"):
            write("sys/devices/system/memory/block_size_bytes", line.split()[1].replace("0x", "") + "\n")
        match = re.match(r"block (\d+)-(\d+) \(\d+\) state=(\w+) .*node=(\d*)", line)
        if match:
            text += f"{match[1]}-{match[2]} {match[3]} {match[4] or '-'}\n"
            blocks += int(match[2]) - int(match[1]) + 1
    write("sys/devices/system/memory/blocks.runs", f"{text}end {blocks}\n")


def unrecorded(start, end, pinned):
    runs = []
    while start < end:
        if pinned and start % pinned == 0:
            runs.append((1, FLAGS["anon"]))
            start += 1
            continue
        stop = min(end, (start // pinned + 1) * pinned) if pinned else end
        runs.append((stop - start, 0))
        start = stop
    return runs


def write_frames(write, lines, pinned):
    runs, at = [], 0
    for line in lines:
        match = re.match(r"pfn 0x([0-9a-f]+)-0x([0-9a-f]+) \d+ (\S+)", line)
        if match:
            start, end, kind = int(match[1], 16), int(match[2], 16), match[3]
            if start > at:
                runs += unrecorded(at, start, pinned)
            if kind == "hugetlb":
                # Pool pages of 1 GiB where the run is made of them, of 2 MiB otherwise.
                page = 1 << 18 if (end - start) % (1 << 18) == 0 else 1 << 9
                for _ in range((end - start) // page):
                    runs += [(1, HUGE | HEAD), (page - 1, HUGE | TAIL)]
            else:
                runs.append((end - start, FLAGS[kind]))
            at = end
        elif line.startswith("end_pfn"):
            end = int(line.split()[1], 16)
            if end > at:
                runs.append((end - at, 0))
            at = end
    merged = []
    for count, flags in runs:
        if merged and merged[-1][1] == flags:
            merged[-1][0] += count
        else:
            merged.append([count, flags])
    text = "".join(f"{count} {flags:x}\n" for count, flags in merged)
    write("proc/kpageflags.runs", f"megalith.kpageflags/1\n{text}end {at}\n")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
