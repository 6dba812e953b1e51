#!/usr/bin/env python3
"""Compares what the kernel gives for `echo N` with what `megalith reserve` gives. Changes this host for some minutes.

usage: reserve-trial.py --change-this-host [--size 1G] [--counts 2,4,6] [--keep GIB] [--cache GIB] [--rounds N] [--allow STEPS]

Three states: memory as it is after caches were dropped and memory compacted; the page cache full, with CACHE (default 12) GiB
of a file just written at most; fragmented by a helper that holds scattered locked memory. In each, for each count, the
kernel's way and the command's way take turns, the other one first in every second round. Before each trial the pool is empty
again, and the state is made anew. `managed` is of all zones, in frames; `predicted` is what `--dry-run` says is obtainable.
At least KEEP (default 10) GiB stay available. What was found in the pools is there again at the end. Needs root, and `swift
build -c release --product megalith`.
"""
import argparse
import json
import mmap
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

BINARY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".build", "release", "megalith")
GIB = 1 << 30


def bytes_of(size):
    return int(size[:-1]) << {"K": 10, "M": 20, "G": 30}[size[-1]]


class Pool:
    def __init__(self, size):
        folder = "/sys/kernel/mm/hugepages/hugepages-%dkB/" % (bytes_of(size) >> 10)
        self.path = folder + "nr_hugepages"
        self.before = self.read()

    def read(self):
        with open(self.path) as file:
            return int(file.read())

    def write(self, count):
        with open(self.path, "w") as file:
            file.write(str(count))

    def reset(self):
        self.write(self.before)


def meminfo(name):
    with open("/proc/meminfo") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith(name + ":"))


def managed():
    with open("/proc/zoneinfo") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("        managed"))


def setting(path, value):
    with open(path, "w") as file:
        file.write(value)


class Free:
    """Memory handed over and free."""
    name = "free"

    def __enter__(self):
        subprocess.run(["sync"])
        setting("/proc/sys/vm/drop_caches", "3")
        setting("/proc/sys/vm/compact_memory", "1")

    def __exit__(self, *_):
        pass


class CacheFull(Free):
    """A file is read until its pages fill what is free."""
    name = "cache full"

    def __init__(self, most):
        self.most = most

    def __enter__(self):
        super().__enter__()
        self.file = tempfile.NamedTemporaryFile(dir="/var/tmp")
        chunk = os.urandom(1 << 20)
        size = min(meminfo("MemFree") - GIB, self.most)
        for _ in range(max(0, size >> 20)):
            self.file.write(chunk)
        self.file.flush()
        os.fsync(self.file.fileno())

    def __exit__(self, *_):
        self.file.close()


class Fragmented(Free):
    """Locked pages of 4 KiB, one in each 2 MiB of what a helper once held."""
    name = "fragmented"

    def __init__(self, keep):
        self.keep = keep

    def __enter__(self):
        super().__enter__()
        self.maps = []
        piece = 64 << 20
        room = max(0, meminfo("MemAvailable") - self.keep)
        for _ in range(room // piece):
            area = mmap.mmap(-1, piece, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
            area.madvise(15)  # MADV_NOHUGEPAGE
            for offset in range(0, piece, mmap.PAGESIZE):
                area[offset] = 1
            self.maps.append(area)
        stay = random.Random(8)
        for area in self.maps:
            for start in range(0, piece, 2 << 20):
                kept = start + stay.randrange(512) * mmap.PAGESIZE
                if kept > start:
                    area.madvise(mmap.MADV_DONTNEED, start, kept - start)
                rest = start + (2 << 20) - kept - mmap.PAGESIZE
                if rest:
                    area.madvise(mmap.MADV_DONTNEED, kept + mmap.PAGESIZE, rest)

    def __exit__(self, *_):
        for area in self.maps:
            area.close()


def predicted(size, count):
    text = subprocess.run([BINARY, "reserve", f"{size}:+{count}", "--dry-run", "--json"], capture_output=True).stdout
    return json.loads(text)["goals"][0]["obtainable"]


def by_kernel(pool, size, count, _):
    start = time.monotonic()
    pool.write(pool.before + count)
    return pool.read() - pool.before, time.monotonic() - start, ""


def by_megalith(pool, size, count, allow):
    start = time.monotonic()
    command = [BINARY, "reserve", f"{size}:+{count}", "--json"] + (["--allow", allow] if allow else [])
    result = subprocess.run(command, capture_output=True, text=True)
    seconds = time.monotonic() - start
    steps = ""
    if result.stdout:
        done = [step for step in json.loads(result.stdout)["steps"] if step["outcome"] != "skipped"]
        steps = ", ".join(f"{s['step']} +{sum(s['gain'].values())} {s['seconds']:.1f} s" for s in done)
    else:
        steps = result.stderr.strip()
    return pool.read() - pool.before, seconds, steps


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--change-this-host", action="store_true", required=True)
    parser.add_argument("--size", default="1G")
    parser.add_argument("--counts", default="2,4,6")
    parser.add_argument("--keep", type=int, default=10)
    parser.add_argument("--cache", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--allow", default="drop-caches")
    parser.add_argument("--states", default="free,cache full,fragmented")
    arguments = parser.parse_args()
    # An end from outside, too, goes through what puts the pool back.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    keep = arguments.keep * GIB
    pool = Pool(arguments.size)
    print("| state | size | asked | managed | predicted | by | gave | seconds | steps |\n|---|---|---|---|---|---|---|---|---|")
    turn = 0
    for state in [Free(), CacheFull(arguments.cache * GIB), Fragmented(keep)]:
        if state.name not in arguments.states.split(","):
            continue
        for count in map(int, arguments.counts.split(",")):
            for _ in range(arguments.rounds):
                ways = [("kernel", by_kernel), ("megalith", by_megalith)]
                for name, way in ways if turn % 2 == 0 else reversed(ways):
                    with state:
                        need = count * bytes_of(arguments.size)
                        if meminfo("MemAvailable") - need < keep:
                            sys.exit(f"{count} pages would leave less than {arguments.keep} GiB; nothing more is tried")
                        frames = managed()
                        promise = predicted(arguments.size, count)
                        try:
                            gave, seconds, steps = way(pool, arguments.size, count, arguments.allow)
                        finally:
                            pool.reset()
                    print(f"| {state.name} | {arguments.size} | {count} | {frames} | {promise} | {name} | {gave} | {seconds:.1f} | {steps} |",
                          flush=True)
                turn += 1


if __name__ == "__main__":
    main()
