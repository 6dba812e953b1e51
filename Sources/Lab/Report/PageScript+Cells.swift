extension PageScript {
  /// Tiles, the place of each cell in them, and a pyramid over the cells of a map.
  ///
  /// A tile is an aligned range of the smallest gigantic page size. Its cells are numbered by address, so that four cells of one level of the
  /// pyramid, which are an aligned range, are one cell of the next.
  static let cells = #"""
    const cellBytes = machine.cellBytes;
    const gigantic = machine.sizes.filter(size => size > machine.pageblockBytes && size > cellBytes);
    let tileBytes = Math.max(gigantic[0] || 2 ** 30, cellBytes);
    {
      const amount = machine.ranges.reduce((sum, range) => sum + range.cells * cellBytes, 0);
      while (amount / tileBytes > 16384) tileBytes *= 2;
    }
    const perTile = tileBytes / cellBytes;
    const tileShift = Math.round(Math.log2(perTile));
    const side = 2 ** (tileShift >> 1), halves = tileShift & 1 ? 2 : 1;
    const levelCount = (tileShift >> 1) + 1;

    // Tiles in the order of ranges, and what lies between them; a section is what one node has in a row.
    const tiles = [], items = [], sections = [], pieces = [];
    {
      let cell = 0, end = 0, tile = -1;
      machine.ranges.forEach((range, index) => {
        const before = sections.at(-1);
        const isNew = !before || before.node !== range.node || range.start < end;
        const hole = index > 0 && range.start > end ? range.start - end : 0;
        if (isNew) {
          sections.push({ node: range.node, firstItem: items.length, items: 0, bytes: 0, hole, start: range.start, end });
          tile = -1;
        }
        const section = sections.at(-1);
        section.bytes += range.cells * cellBytes;
        let left = range.cells, address = range.start;
        while (left > 0) {
          const number = Math.floor(address / tileBytes), base = number * tileBytes;
          if (tile < 0 || tiles[tile].base !== base) {
            if (!isNew && address === range.start && base - tiles[tile].base > tileBytes) items.push({ tile: -1, start: end, bytes: hole });
            tile = tiles.length;
            tiles.push({ base, item: items.length, section: sections.length - 1 });
            items.push({ tile });
          }
          const inside = (address - base) / cellBytes, count = Math.min(left, perTile - inside);
          pieces.push({ cell, slot: tile * perTile + inside, count, range: index });
          cell += count;
          left -= count;
          address += count * cellBytes;
        }
        section.end = end = address;
        section.items = items.length - section.firstItem;
      });
    }
    const slotCount = tiles.length * perTile;
    const addressOf = slot => tiles[Math.floor(slot / perTile)].base + (slot % perTile) * cellBytes;
    function lastAtMost(list, key, value) {
      let low = 0, high = list.length;
      while (low < high) { const middle = (low + high) >> 1; if (list[middle][key] <= value) low = middle + 1; else high = middle; }
      return low - 1;
    }
    function pieceOf(slot) {
      const piece = pieces[lastAtMost(pieces, "slot", slot)];
      return piece && slot < piece.slot + piece.count ? piece : null;
    }
    const isInRange = (range, address) => address >= range.start && address < range.start + range.cells * cellBytes;

    // A cell in 32 bits, such that the larger is more in the way: rank 3, share 5 bits, owner 12, unmovable 6 and movable 6 bits.
    const mostOwners = 4095;
    function packState(state) {
      const kind = kindOf(state.owner);
      if (kind === "hole") return 0;
      let rank = 1;
      if (state.movable > 0) rank = 2;
      if (kind === "pool") rank = 3;
      if (state.unmovable > 0 && isBlocking(kind)) rank = 4;
      if (state.owner === highlighted) rank = 7;
      return pack(rank, Math.min(state.owner, mostOwners), Math.ceil(state.unmovable * 63 / 255), Math.ceil(state.movable * 63 / 255));
    }
    function pack(rank, owner, unmovable, movable) {
      const share = (rank === 2 ? movable : Math.max(unmovable, rank === 4 ? 0 : movable)) >> 1;
      return (rank << 29 | share << 24 | owner << 12 | unmovable << 6 | movable) >>> 0;
    }
    const rankOf = packed => packed >>> 29;
    const packedOwner = packed => packed >>> 12 & 4095;
    const packedUnmovable = packed => packed >>> 6 & 63;

    const opened = new Map();
    function openMap(index) {
      const known = opened.get(index);
      if (known) return known;
      if (opened.size >= 3) opened.delete(opened.keys().next().value);
      const levels = [new Uint32Array(slotCount)];
      const packed = Uint32Array.from(trace.states, packState);
      const uses = new Float64Array(trace.states.length);
      const runs = trace.maps[index].cells;
      let piece = 0, done = 0;
      for (let at = 0; at + 1 < runs.length; at += 2) {
        const value = packed[runs[at]];
        let left = runs[at + 1];
        uses[runs[at]] += left;
        while (left > 0 && piece < pieces.length) {
          const count = Math.min(left, pieces[piece].count - done);
          if (value !== 0) levels[0].fill(value, pieces[piece].slot + done, pieces[piece].slot + done + count);
          done += count;
          left -= count;
          if (done === pieces[piece].count) { piece += 1; done = 0; }
        }
      }
      for (let level = 1; level < levelCount; level++) levels.push(nextLevel(levels[level - 1]));
      const made = { index, levels, uses, tally: null };
      opened.set(index, made);
      return made;
    }
    function nextLevel(from) {
      const to = new Uint32Array(from.length >> 2);
      for (let index = 0, at = 0; index < to.length; index++, at += 4) {
        const a = from[at], b = from[at + 1], c = from[at + 2], d = from[at + 3];
        if (a === b && b === c && c === d) { to[index] = a; continue; }
        let worst = a;
        if (b > worst) worst = b;
        if (c > worst) worst = c;
        if (d > worst) worst = d;
        const unmovable = (a >>> 6 & 63) + (b >>> 6 & 63) + (c >>> 6 & 63) + (d >>> 6 & 63) + 3 >> 2;
        const movable = (a & 63) + (b & 63) + (c & 63) + (d & 63) + 3 >> 2;
        to[index] = pack(worst >>> 29, worst >>> 12 & 4095, unmovable, movable);
      }
      return to;
    }
    // Exact shares are looked up in the map's runs.
    function stateAt(index, cell) {
      const runs = trace.maps[index].cells;
      let first = 0;
      for (let at = 0; at + 1 < runs.length; at += 2) {
        first += runs[at + 1];
        if (cell < first) return trace.states[runs[at]];
      }
      return null;
    }

    // Of each gigantic size and each of its ranges: cells there are, cells with memory that cannot move, cells of pools.
    function rangeAround(map, size, address) {
      const start = Math.floor(address / size) * size, end = start + size;
      const found = { start, end, size, cells: size / cellBytes, present: 0, blocking: 0, pool: 0, movable: 0, owners: new Map(), isOneNode: true };
      let node = -1;
      for (let base = Math.floor(start / tileBytes) * tileBytes; base < end; base += tileBytes) {
        for (const tile of tilesAt.get(base) || []) {
          const slots = map.levels[0], low = tile * perTile + Math.max(0, (start - base) / cellBytes);
          const high = tile * perTile + Math.min(perTile, (end - base) / cellBytes);
          let isThere = false;
          for (let slot = low; slot < high; slot++) {
            const packed = slots[slot];
            if (packed === 0) continue;
            const kind = kindOf(packedOwner(packed));
            isThere = true;
            if (kind === "offline") continue;
            found.present += 1;
            if (packedUnmovable(packed) > 0 && isBlocking(kind)) {
              found.blocking += 1;
              found.owners.set(packedOwner(packed), (found.owners.get(packedOwner(packed)) || 0) + 1);
            } else if (kind === "pool") found.pool += 1;
            else if ((packed & 63) > 0) found.movable += 1;
          }
          if (isThere) {
            const tileNode = sections[tiles[tile].section].node;
            if (node >= 0 && node !== tileNode) found.isOneNode = false;
            node = tileNode;
          }
        }
      }
      return found;
    }
    const tilesAt = new Map();
    tiles.forEach((tile, index) => tilesAt.set(tile.base, (tilesAt.get(tile.base) || []).concat(index)));

    """#
}
