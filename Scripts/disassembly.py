"""What the scripts that look at instructions have in common: the functions of a disassembly, and what is expected of them."""
import re
import sys


def functions():
    """The instructions of each function that objdump prints, with their addresses, from standard input."""
    found, name = {}, None
    for line in sys.stdin:
        if match := re.match(r"[0-9a-f]+ <(.*)>:$", line):
            name = match[1]
            found[name] = []
        elif match := re.match(r" +([0-9a-f]+):\t(.*)$", line):
            found[name].append((int(match[1], 16), match[2].strip()))
    return found


class Expectations:
    """Prints what holds and what does not; `failed` once something did not."""

    def __init__(self, subject):
        self.subject = subject
        self.failed = False

    def __call__(self, holds, text):
        self.failed |= not holds
        print((f"{self.subject}: " if holds else "NOT the same: ") + text)
