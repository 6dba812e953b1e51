#!/usr/bin/env python3
"""Compares what `megalith survey` predicts with what the kernel gives. Changes this host's pools for a moment.

usage: compare-with-kernel.py --change-this-host [--margin MIB] [--only-gigantic]

Surveys, makes a machine of the host and takes all pages from it, then asks the kernel for more 1 GiB pages than were predicted, reads back how many it gave and puts the pool
back as it was; then the same for 2 MiB pages, but never for so many that less than MARGIN (default 400) MiB of available
memory is left, since a host without swap would start to kill. The asking process is locked into memory. Needs root.
"""
import argparse
import ctypes
import json
import os
import subprocess

BINARY = os.path.join(os.path.dirname(__file__), "..", ".build", "release", "megalith")
POOL = "/sys/kernel/mm/hugepages/hugepages-%dkB/nr_hugepages"


def read(path):
    with open(path) as file:
        return int(file.read())


def ask(kilobytes, count):
    path = POOL % kilobytes
    before = read(path)
    try:
        with open(path, "w") as file:
            file.write(str(before + count))
        return read(path) - before
    finally:
        with open(path, "w") as file:
            file.write(str(before))


def available():
    with open("/proc/meminfo") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("MemAvailable"))


def predicted():
    survey = json.loads(subprocess.run([BINARY, "survey", "--engine", "--json"], capture_output=True, check=True).stdout)
    managed = sum(zone["managed"] for zone in survey["zones"])
    engine = {size["size"]: size["engine"]["obtainable"] for size in survey["sizes"]}
    return {size["size"]: size["obtainable"] for size in survey["sizes"]}, engine, managed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--change-this-host", action="store_true", required=True)
    parser.add_argument("--margin", type=int, default=400)
    parser.add_argument("--only-gigantic", action="store_true")
    arguments = parser.parse_args()
    margin = arguments.margin
    mcl_current_and_future = 3
    ctypes.CDLL(None).mlockall(mcl_current_and_future)

    survey, engine, managed = predicted()
    gave = ask(1 << 20, survey["1G"] + 4)
    print(f"1G: managed {managed} frames, predicted {survey['1G']}, by the engine {engine['1G']}, the kernel gave {gave}")
    if arguments.only_gigantic:
        return
    survey, engine, managed = predicted()
    safe = max(0, (available() - margin * 1024) // 2048)
    asked = min(survey["2M"] + 64, safe)
    gave = ask(2048, asked)
    bound = "" if asked > survey["2M"] else f" (asked for {asked} only: {margin} MiB must stay available)"
    print(f"2M: managed {managed} frames, predicted {survey['2M']}, by the engine {engine['2M']}, the kernel gave {gave}{bound}")


if __name__ == "__main__":
    main()
