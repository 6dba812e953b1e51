#!/usr/bin/env bash
# Shows that a reference to a base page and one to the head of a huge page are taken and given back by the same few instructions: pages
# that can be taken apart under the pins of their tails cost those who never ask for a tail nothing. Disassembles the release build of
# megalith-bench, which has one function for both, and exits 1 where that
#   - has other than two locked instructions,
#   - touches other memory than the counts of the descriptor that it is given, so that it cannot know order, kind or lock,
#   - calls anything, or jumps backwards: what it does besides is to trap, and
#   - exists more than once, or is made anew for one of its callers.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v objdump >/dev/null; then
  echo "same get and put: skipped, objdump (binutils) is not there"
  exit 0
fi
if [ "$(uname -m)" != x86_64 ]; then
  echo "same get and put: skipped, it reads instructions of x86_64"
  exit 0
fi
swift build -c release --product megalith-bench >&2
objdump -d --no-show-raw-insn .build/release/megalith-bench | PYTHONPATH=Scripts PYTHONDONTWRITEBYTECODE=1 python3 -c '
import disassembly, re, sys

functions = {
    name: [(address, re.sub(r"\s+", " ", text)) for address, text in code] for name, code in disassembly.functions().items()
}
expect = disassembly.Expectations("same get and put")

found = [name for name in functions if re.search(r"13MegalithBench9getAndPut", name)]
expect(len(found) == 1, f"{len(found)} function for base pages and heads")
callers = sum(1 for code in functions.values() for _, text in code if found and re.match(r"(call|jmp) .*<" + re.escape(found[0]) + r">", text))
expect(callers > 0, f"called from {callers} place(s)")

padding = re.compile(r"(data16 |cs )*(nop|xchg %ax,%ax)|int3")
for name in found:
    code = [(address, text) for address, text in functions[name] if not padding.match(text)]
    locked = [text for _, text in code if text.startswith("lock")]
    expect(len(locked) == 2, f"{len(locked)} locked instructions")
    # An address in a register, without a distance: the counts are what a descriptor begins with.
    memory = [text for _, text in code if "(" in text and not text.startswith("lea")]
    expect(memory == locked and len({re.search(r"\S*\(.*\)", text)[0] for text in memory}) == 1
           and all(re.search(r"[ ,]\(%r\w+\)$", text) for text in memory), "no other memory than the counts")
    expect(not any(text.startswith("call") for _, text in code), "no call")
    jumps = [(address, int(match[1], 16)) for address, text in code if (match := re.match(r"j\w+ ([0-9a-f]+)", text))]
    texts = dict(code)
    expect(all(texts.get(target) == "ud2" for _, target in jumps), f"{len(jumps)} jumps, all to traps")
    for _, text in code:
        print("    " + re.sub(r"<\$s13MegalithBench9getAndPut[^+>]*", "<getAndPut", text))
sys.exit(expect.failed)
'
