#!/usr/bin/env python3
"""Compares a survey's time with `cat` of the files that it reads, interleaved, and prints its peak memory. Needs root.

usage: scan-cost.py [ROUNDS]
"""
import os
import statistics
import subprocess
import sys
import time

BINARY = os.path.join(os.path.dirname(__file__), "..", ".build", "release", "megalith")


def timed(command):
    start = time.monotonic()
    pid = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(pid.pid, 0)
    assert status == 0, command
    return time.monotonic() - start, usage.ru_maxrss


def main(rounds):
    cat, survey, peak = [], [], 0
    for _ in range(rounds):
        cat.append(timed(["cat", "/proc/kpageflags"])[0])
        seconds, resident = timed([BINARY, "--json"])
        survey.append(seconds)
        peak = max(peak, resident)
    ratio = statistics.median(s / c for s, c in zip(survey, cat))
    print(f"cat /proc/kpageflags {statistics.median(cat):.2f} s, survey {statistics.median(survey):.2f} s, "
          f"ratio {ratio:.2f}, peak memory {peak / 1024:.1f} MiB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 9)
