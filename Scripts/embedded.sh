#!/usr/bin/env bash
# Compiles the core rooms in Embedded Swift for a machine with no operating system. Prints one line per room.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

bin=$(dirname "$(readlink -f "$(command -v swiftc)")")
cat >"$out/toolset.json" <<JSON
{
  "schemaVersion": "1.0",
  "rootPath": "$bin",
  "swiftCompiler": { "extraCLIOptions": ["-wmo", "-Xfrontend", "-disable-stack-protector", "-Xcc", "-ffreestanding", "-Xcc", "-mno-red-zone"] },
  "cCompiler": { "extraCLIOptions": ["-ffreestanding", "-fno-stack-protector", "-mno-red-zone"] },
  "librarian": { "path": "$(command -v llvm-ar || echo "$bin/llvm-ar")" }
}
JSON

for room in MemoryUnits PhysicalLayout FrameMap FrameAllocator FrameContents Mobility HugePools AddressSpaces Hotplug; do
  MEGALITH_EMBEDDED=1 swift build -c release --triple x86_64-unknown-none-elf --toolset "$out/toolset.json" \
    --scratch-path "$out/build" --target "$room" >"$out/log" 2>&1 || { cat "$out/log"; exit 1; }
  echo "embedded: $room compiles for x86_64-unknown-none-elf"
done
