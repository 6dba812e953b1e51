#!/usr/bin/env bash
# Shows that clearing and copying 2 MiB runs the same inner loop as 1 GiB: the ordinary huge page pays nothing for the gigantic
# one. Disassembles the release build of megalith-bench, which has a function for each size, and exits 1 where
#   - the functions of the two sizes differ in more than a constant,
#   - the step of a work exists more than once, or
#   - the mover has more loops than it should, one of which would be for a size.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v objdump >/dev/null; then
  echo "same inner loop: skipped, objdump (binutils) is not there"
  exit 0
fi
swift build -c release --product megalith-bench >&2
objdump -d --no-show-raw-insn .build/release/megalith-bench | PYTHONPATH=Scripts PYTHONDONTWRITEBYTECODE=1 python3 -c '
import disassembly, re, sys

functions = {
    name: [(address, re.sub(r"-?0x[0-9a-f]+\(%rip\)", "(%rip)", text)) for address, text in code]
    for name, code in disassembly.functions().items()
}
expect = disassembly.Expectations("same inner loop")

def the(pattern):
    found = [name for name in functions if re.search(pattern, name)]
    expect(len(found) == 1, f"{len(found)} of {pattern}")
    return found[0] if found else None

def shape(name):
    """The instructions without what a constant changes: immediates, and the lengths that follow from them."""
    code = []
    for _, text in functions[name]:
        if re.match(r"(data16 |cs )*(nop|xchg +%ax,%ax)", text):
            continue
        text = re.sub(r"[0-9a-f]+ <(\S+?)(\+0x[0-9a-f]+)?>", lambda m: "here" if m[1] == name else m[1], text)
        code.append(re.sub(r"\$-?0x[0-9a-f]+", "$constant", text))
    return code

def stream_loops(name):
    """Innermost loops with stores past the caches: from the target of a jump backwards to the jump."""
    loops = []
    for address, text in functions[name]:
        if (match := re.match(r"j\w+ +([0-9a-f]+) <", text)) and int(match[1], 16) <= address:
            loops.append((int(match[1], 16), address))
    inner = [one for one in loops if not any(other != one and one[0] <= other[0] and other[1] <= one[1] for other in loops)]
    bodies = [[text for address, text in functions[name] if low <= address <= high] for low, high in inner]
    return [body for body in bodies if any("movnt" in text for text in body)]

for verb, work, mover in (("clear", "ClearWork", "host_clear"), ("copy", "CopyWork", "host_copy")):
    huge, gigantic = the(f"13MegalithBench.*{verb}Huge"), the(f"13MegalithBench.*{verb}Gigantic")
    if huge and gigantic:
        expect(shape(huge) == shape(gigantic), f"{verb} of 2 MiB and of 1 GiB: {len(shape(huge))} instructions, but for a constant")
        for one, other in zip(shape(huge), shape(gigantic)):
            if one != other:
                print(f"    {one}  |  {other}")
    the(f"13FrameContents{len(work)}{work}V7advance")
    the(f"^{mover}$")
    loops = stream_loops(mover)
    # A copy has a second one for lines that fill no group of pages; both sizes are whole groups.
    most = 1 if verb == "clear" else 2
    expect(len(loops) <= most, f"{mover} has {len(loops)} inner loop(s), the first of")
    body = loops[0] if loops else ["a call of the C library"]
    print("    " + "\n    ".join(body if len(body) <= 16 else body[:8] + ["..."] + body[-4:]))
sys.exit(expect.failed)
'
