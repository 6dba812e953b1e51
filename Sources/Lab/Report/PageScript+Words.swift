extension PageScript {
  /// What a place holds, and why that matters, in words.
  static let words = #"""
    const cellName = cellBytes === machine.pageblockBytes ? "pageblock" : "cell of " + bytesText(cellBytes);
    const cellNames = cellBytes === machine.pageblockBytes ? "pageblocks" : "cells of " + bytesText(cellBytes);
    const amountOf = count => countText(count) + " " + (count === 1 ? cellName : cellNames);

    // Lines: the range; where; whose; shares; and for each gigantic size what the place means to its range.
    function describe(map, slot, level, isShort) {
      const block = slot - slot % 4 ** level, start = addressOf(block), end = start + 4 ** level * cellBytes;
      const packed = map.levels[level][Math.floor(block / 4 ** level)];
      const lines = [rangeText(start, end) + ", " + (level === 0 ? cellName : bytesText(end - start))];
      const piece = pieceOf(slot) || (level > 0 ? pieces.find(piece => piece.slot < block + 4 ** level && piece.slot + piece.count > block) : null);
      if (!piece) return lines.concat(["No memory: " + holeAt(start)]);
      const range = machine.ranges[piece.range];
      lines.push("Node " + range.node + ", zone " + range.zone);
      if (packed === 0) return lines.concat(["No memory"]);
      const owner = packedOwner(packed), kind = kindOf(owner);
      const most = kind === "free" ? "Free" : nameOf(owner) + (nameOf(owner) === kindName(kind) ? "" : " (" + kindName(kind) + ")");
      lines.push(level === 0 ? most : "Most in the way: " + most);
      const state = level === 0 ? stateAt(map.index, piece.cell + slot - piece.slot) : null;
      if (state) {
        lines.push(["unmovable " + shareText(state.unmovable), "movable " + shareText(state.movable), "free " + shareText(state.free)].join(", "));
      } else {
        const share = part => shareText(Math.floor(part * 255 / 63));
        lines.push("about: unmovable " + share(packedUnmovable(packed)) + ", movable " + share(packed & 63));
      }
      if (isShort) return lines;
      const isBlock = packedUnmovable(packed) > 0 && isBlocking(kind);
      for (const size of gigantic) lines.push(meaning(rangeAround(map, size, start), isBlock, kind));
      return lines;
    }
    function meaning(range, isBlock, kind) {
      const page = "the " + bytesText(range.size) + " page " + rangeText(range.start, range.end);
      const all = countText(range.cells) + " " + cellNames;
      if (range.present < range.cells) return "Never part of " + page + ": " + amountOf(range.cells - range.present) + " of it " + (range.cells - range.present === 1 ? "is" : "are") + " no memory, or not online.";
      if (!range.isOneNode) return "Never part of " + page + ": it lies on two nodes.";
      if (isBlock) {
        return "Stands in the way of " + page + ": " + (range.blocking === 1
          ? "it is the only one of its " + all + " that holds unmovable memory."
          : countText(range.blocking) + " of its " + all + " hold unmovable memory.");
      }
      if (range.blocking > 0) {
        const names = [...range.owners].sort((a, b) => b[1] - a[1]).slice(0, 3).map(entry => nameOf(entry[0])).join(", ");
        return "Not in the way of " + page + ", but " + countText(range.blocking) + " of its " + all + " hold unmovable memory (" + names + ").";
      }
      if (range.pool === range.cells) return "All of " + page + " is a pool's.";
      if (range.movable + range.pool === 0) return "All of " + page + " is free.";
      const rest = range.pool > 0 ? amountOf(range.pool) + " of it are a pool's" : "";
      const move = range.movable > 0 ? amountOf(range.movable) + " of it hold memory that can move" : "";
      return "Nothing unmovable in " + page + "; " + [move, rest].filter(Boolean).join(", ") + ".";
    }
    function holeAt(address) {
      let before = 0, after = null;
      for (const range of machine.ranges) {
        const end = range.start + range.cells * cellBytes;
        if (end <= address) before = Math.max(before, end);
        if (range.start > address && (after === null || range.start < after)) after = range.start;
      }
      return after === null ? "behind the end of memory" : "a hole of " + bytesText(after - before) + " " + rangeText(before, after);
    }

    // Of each tile: 1 where it can be had whole, 2 where something stands in the way, 3 where it is a pool's, 0 where it never can.
    function tallyOf(map) {
      if (map.tally) return map.tally;
      const verdicts = new Uint8Array(tiles.length), counts = [0, 0, 0, 0];
      const isLarge = gigantic.length > 0 && tileBytes === gigantic[0];
      const blocks = Uint8Array.from(trace.owners, owner => isBlocking(owner.kind) ? 1 : owner.kind === "pool" ? 2 : owner.kind === "offline" ? 3 : 0);
      for (let tile = 0; isLarge && tile < tiles.length; tile++) {
        let pool = 0, verdict = 1;
        for (let slot = tile * perTile; slot < (tile + 1) * perTile; slot++) {
          const packed = map.levels[0][slot], role = blocks[packed >>> 12 & 4095];
          if (packed === 0 || role === 3) { verdict = 0; break; }
          if (role === 1 && (packed >>> 6 & 63) > 0) verdict = 2;
          if (role === 2) pool += 1;
        }
        if (verdict === 1 && pool === perTile) verdict = 3;
        verdicts[tile] = verdict;
        counts[verdict] += 1;
      }
      return map.tally = { verdicts, counts, isLarge };
    }
    function showRanges() {
      const { counts, isLarge } = tallyOf(openMap(shown));
      if (!isLarge) return;
      const parts = [counts[1] + " with nothing unmovable (outlined)", counts[2] + " blocked", counts[3] + " in pools", counts[0] + " cut short"];
      $("ranges").textContent = "Ranges of " + bytesText(tileBytes) + ": " + parts.filter(part => !part.startsWith("0 ")).join(", ");
    }

    """#
}
