extension PageScript {
  /// Where tiles and cells stand. The world is measured in the canvas's pixels when the whole machine is in view.
  ///
  /// In a tile the cells follow a Hilbert curve, so that memory that lies together is seen together, and that each aligned range of four to
  /// the power of n cells is a square: the cells of the pyramid's level n.
  static let layout = #"""
    function hilbert(size, x, y) {
      let index = 0;
      for (let step = size >> 1; step > 0; step >>= 1) {
        const right = (x & step) > 0 ? 1 : 0, below = (y & step) > 0 ? 1 : 0;
        index += step * step * (3 * right ^ below);
        if (!below) {
          if (right) { x = size - 1 - x; y = size - 1 - y; }
          [x, y] = [y, x];
        }
      }
      return index;
    }
    // For each level: its cells by place, row by row, and their places by number.
    const curves = Array.from({ length: levelCount }, (_, level) => {
      const size = side >> level, width = size * halves, numbers = new Uint32Array(width * size), places = new Uint32Array(width * size);
      for (let y = 0; y < size; y++) {
        for (let x = 0; x < width; x++) {
          const number = Math.floor(x / size) * size * size + hilbert(size, x % size, y);
          numbers[y * width + x] = number;
          places[number] = y * width + x;
        }
      }
      return { width, height: size, numbers, places, count: width * size };
    });

    const world = { width: 1, height: 1, columns: 1, tileWidth: 1, tileHeight: 1, gap: 1, edge: 0, header: 0 };
    // Whole pixels where tiles are not tiny, or gaps would be seen in some places and not in others.
    function tileSizes(width, columns) {
      const across = Math.floor(width / columns * size.ratio), gap = clamp(Math.round(across * 0.08), 1, 8 * size.ratio);
      const tile = Math.floor((across - gap) / halves) * halves;
      if (tile < 3 * halves) {
        const tiny = width / columns;
        return { gap: tiny * 0.1, edge: tiny * 0.05, tileWidth: tiny * 0.9, tileHeight: tiny * 0.9 / halves };
      }
      const rest = across - tile, unit = 1 / size.ratio;
      return { gap: rest * unit, edge: Math.floor(rest / 2) * unit, tileWidth: tile * unit, tileHeight: tile / halves * unit };
    }
    function placeTiles(width, height) {
      const rowsOf = columns => sections.reduce((sum, section) => sum + Math.ceil(section.items / columns), 0);
      const most = sections.reduce((sum, section) => Math.max(sum, section.items), 1);
      world.header = sections.length <= 12 ? 20 : 5;
      for (world.columns = 1; ; world.columns++) {
        Object.assign(world, tileSizes(width, world.columns));
        const high = rowsOf(world.columns) * (world.tileHeight + world.gap) + sections.length * world.header;
        if (high <= height || world.columns >= most * 4) break;
      }
      world.columns = Math.max(world.columns, Math.floor(width / (world.tileWidth + world.gap)));
      let y = 0;
      for (const section of sections) {
        y += world.header;
        section.y = y;
        section.rows = Math.ceil(section.items / world.columns);
        y += section.rows * (world.tileHeight + world.gap);
      }
      world.width = width;
      world.height = Math.max(y, 1);
    }
    function itemBox(index) {
      const section = sections[lastAtMost(sections, "firstItem", index)], local = index - section.firstItem;
      return {
        x: world.edge + (local % world.columns) * (world.tileWidth + world.gap),
        y: section.y + Math.floor(local / world.columns) * (world.tileHeight + world.gap),
        width: world.tileWidth, height: world.tileHeight,
      };
    }
    function blockBox(slot, level) {
      const box = itemBox(tiles[Math.floor(slot / perTile)].item), curve = curves[level];
      const place = curve.places[Math.floor((slot % perTile) / 4 ** level)], size = box.width / curve.width;
      return { x: box.x + (place % curve.width) * size, y: box.y + Math.floor(place / curve.width) * size, width: size, height: size };
    }
    function sectionBox(index) {
      const section = sections[index];
      const columns = Math.min(section.items, world.columns), across = world.tileWidth + world.gap;
      return { x: 0, y: section.y - world.header, width: columns * across, height: world.header + section.rows * (world.tileHeight + world.gap) };
    }
    // What is at a place of the world: a section and an item, and a slot where there is a tile.
    function findAt(x, y) {
      const index = lastAtMost(sections, "y", y);
      if (index < 0 || x < 0) return null;
      const section = sections[index], across = world.tileWidth + world.gap, down = world.tileHeight + world.gap;
      const column = Math.floor(x / across), row = Math.floor((y - section.y) / down), local = row * world.columns + column;
      if (column >= world.columns || row >= section.rows || local >= section.items) return null;
      const item = items[section.firstItem + local];
      if (item.tile < 0) return { section: index, gap: item };
      const curve = curves[0];
      const inX = clamp(Math.floor((x - column * across - world.edge) / world.tileWidth * curve.width), 0, curve.width - 1);
      const inY = clamp(Math.floor((y - section.y - row * down) / world.tileHeight * curve.height), 0, curve.height - 1);
      return { section: index, slot: item.tile * perTile + curve.numbers[inY * curve.width + inX] };
    }

    """#
}
