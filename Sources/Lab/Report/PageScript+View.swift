extension PageScript {
  /// Painting. While cells are small the map is made pixel by pixel out of the level whose cells are no smaller than a pixel; large cells
  /// are drawn one by one, as bars of their shares.
  static let view = #"""
    const canvas = $("map"), context = canvas ? canvas.getContext("2d", { alpha: false }) : null;
    const eye = { scale: 1, x: 0, y: 0 };
    const size = { width: 1, height: 1, ratio: 1 };
    let shown = 0, cursor = null, image = null, isAsked = false;

    function redraw() {
      if (isAsked || !context) return;
      isAsked = true;
      requestAnimationFrame(() => { isAsked = false; draw(); });
    }
    function resize() {
      if (!canvas) return;
      const box = canvas.getBoundingClientRect(), ratio = Math.min(devicePixelRatio || 1, 2);
      if (box.width < 1) return;
      if (box.width === size.width && box.height === size.height && ratio === size.ratio) return;
      Object.assign(size, { width: box.width, height: box.height, ratio });
      canvas.width = Math.round(box.width * ratio);
      canvas.height = Math.round(box.height * ratio);
      image = null;
      placeTiles(size.width, size.height);
      lookAt(0, 0, 1);
    }
    const cellWidth = () => world.tileWidth / curves[0].width * eye.scale;
    function drawnLevel() {
      let level = 0;
      while (level < levelCount - 1 && cellWidth() * 2 ** level * size.ratio < 1) level += 1;
      return level;
    }

    function draw() {
      if (!palette.length) makePalette();
      const map = openMap(shown);
      if (cellWidth() >= 7) drawCells(map); else drawPixels(map);
      context.setTransform(size.ratio, 0, 0, size.ratio, 0, 0);
      drawFrames(map);
    }
    function drawPixels(map) {
      const width = canvas.width, height = canvas.height;
      if (!image) image = context.createImageData(width, height);
      const pixels = new Uint32Array(image.data.buffer);
      const level = drawnLevel(), curve = curves[level], data = map.levels[level];
      const across = world.tileWidth + world.gap, down = world.tileHeight + world.gap, step = 1 / (size.ratio * eye.scale);
      const columnOf = new Int32Array(width), insideOf = new Int32Array(width);
      for (let x = 0; x < width; x++) {
        const at = eye.x + (x + 0.5) * step - world.edge, column = Math.floor(at / across), inside = at - column * across;
        const isTile = column >= 0 && column < world.columns && inside < world.tileWidth;
        columnOf[x] = isTile ? column : -1;
        insideOf[x] = isTile ? Math.min(Math.floor(inside / world.tileWidth * curve.width), curve.width - 1) : 0;
      }
      pixels.fill(backPixel);
      for (let y = 0; y < height; y++) {
        const at = eye.y + (y + 0.5) * step, section = sections[lastAtMost(sections, "y", at)];
        if (!section) continue;
        const row = Math.floor((at - section.y) / down), inside = at - section.y - row * down;
        if (row >= section.rows || inside >= world.tileHeight) continue;
        const line = Math.min(Math.floor(inside / world.tileHeight * curve.height), curve.height - 1) * curve.width;
        const first = row * world.columns, count = Math.min(section.items - first, world.columns), out = y * width;
        for (let x = 0; x < width; x++) {
          const column = columnOf[x];
          if (column < 0 || column >= count) continue;
          const tile = items[section.firstItem + first + column].tile;
          if (tile < 0) continue;
          const packed = data[tile * curve.count + curve.numbers[line + insideOf[x]]];
          pixels[out + x] = packed === 0 ? holePixel : palette[(packed >>> 12 & 4095) * 32 + (packed >>> 24 & 31)];
        }
      }
      context.putImageData(image, 0, 0);
    }

    function itemsInView(visit) {
      const down = world.tileHeight + world.gap, across = world.tileWidth + world.gap;
      const right = eye.x + size.width / eye.scale, bottom = eye.y + size.height / eye.scale;
      for (const section of sections) {
        const low = Math.max(0, Math.floor((eye.y - section.y) / down)), high = Math.min(section.rows - 1, Math.floor((bottom - section.y) / down));
        const from = Math.max(0, Math.floor(eye.x / across)), to = Math.min(world.columns - 1, Math.floor(right / across));
        for (let row = low; row <= high; row++) {
          for (let column = from; column <= to; column++) {
            const local = row * world.columns + column;
            if (local < section.items) visit(section.firstItem + local);
          }
        }
      }
    }
    const onScreen = box => ({
      x: (box.x - eye.x) * eye.scale, y: (box.y - eye.y) * eye.scale, width: box.width * eye.scale, height: box.height * eye.scale,
    });
    const isSeen = box => box.x < size.width && box.y < size.height && box.x + box.width > 0 && box.y + box.height > 0;

    function drawCells(map) {
      context.setTransform(size.ratio, 0, 0, size.ratio, 0, 0);
      context.fillStyle = cssColour(kindColour("hole"));
      context.fillRect(0, 0, size.width, size.height);
      const seen = [];
      itemsInView(index => {
        const tile = items[index].tile;
        if (tile < 0) return;
        const curve = curves[0], box = onScreen(itemBox(index)), wide = box.width / curve.width;
        const left = clamp(Math.floor(-box.x / wide), 0, curve.width), right = clamp(Math.ceil((size.width - box.x) / wide), 0, curve.width);
        const top = clamp(Math.floor(-box.y / wide), 0, curve.height), bottom = clamp(Math.ceil((size.height - box.y) / wide), 0, curve.height);
        for (let y = top; y < bottom; y++) {
          for (let x = left; x < right; x++) {
            const slot = tile * perTile + curve.numbers[y * curve.width + x], packed = map.levels[0][slot];
            seen.push({ slot, packed, x: box.x + x * wide, y: box.y + y * wide, wide });
          }
        }
      });
      seen.forEach(drawCell);
      if (seen.length && seen[0].wide >= 120) seen.forEach(cell => drawWords(map, cell));
    }
    function drawCell({ packed, x, y, wide }) {
      const edge = wide >= 14 ? 1 : 0.5, width = wide - edge, free = kindColour("free");
      if (packed === 0) {
        context.fillStyle = cssColour(mix(kindColour("hole"), free, 0.35));
        context.fillRect(x, y, width, width);
        return;
      }
      const owner = packedOwner(packed), kind = kindOf(owner), isFaint = highlighted >= 0 && owner !== highlighted;
      const paint = (colour, from, to, pattern) => {
        context.fillStyle = cssColour(isFaint ? mix(free, colour, 0.12) : colour);
        context.fillRect(x + from * width, y, (to - from) * width, width);
        const fill = wide >= 12 && !isFaint ? patternFill(context, pattern) : null;
        if (fill) { context.fillStyle = fill; context.fillRect(x + from * width, y, (to - from) * width, width); }
      };
      let unmovable = packedUnmovable(packed) / 63, movable = (packed & 63) / 63;
      if (kind === "offline") unmovable = 1;
      if (unmovable > 0) unmovable = Math.max(unmovable, Math.min(2 / width, 1));
      movable = Math.min(movable, 1 - unmovable);
      paint(free, 0, 1, "");
      const isMovers = unmovable === 0 || kind === "pool";
      if (unmovable > 0) paint(ownerColour(owner), 0, unmovable, patternOf(kind));
      if (movable > 0) paint(isMovers ? ownerColour(owner) : kindColour("movable"), unmovable, unmovable + movable, isMovers ? patternOf(kind) : "");
    }
    function drawWords(map, { slot, x, y, wide }) {
      if (!isSeen({ x, y, width: wide, height: wide })) return;
      const lines = describe(map, slot, 0, true).slice(0, 4);
      context.font = "12px system-ui, sans-serif";
      context.textBaseline = "middle";
      context.save();
      context.beginPath();
      context.rect(x, y, wide - 1, wide - 1);
      context.clip();
      const left = Math.max(x, 0) + 6, top = Math.max(y, 0) + 14;
      lines.forEach((line, index) => label(line, left, top + index * 18));
      context.restore();
    }
    function label(text, x, y) {
      const width = context.measureText(text).width;
      context.fillStyle = isDark ? "rgba(20,23,27,0.85)" : "rgba(255,255,255,0.9)";
      context.fillRect(x - 3, y - 8, width + 6, 16);
      context.fillStyle = isDark ? "#e8ebee" : "#1b1f24";
      context.fillText(text, x, y);
    }

    // Names of sections, sizes of gaps, outlines of ranges that can be had whole, and the cell that is pointed out.
    function drawFrames(map) {
      context.font = "12px system-ui, sans-serif";
      context.textBaseline = "middle";
      const ink = isDark ? "#e8ebee" : "#1b1f24", soft = isDark ? "#a3adb8" : "#57606a";
      sections.forEach((section, index) => {
        const box = onScreen(sectionBox(index)), header = world.header * eye.scale;
        if (header < 12 || box.y + header < 0 || box.y > size.height) return;
        context.fillStyle = ink;
        const hole = section.hole > 0 ? "   (after a hole of " + bytesText(section.hole) + ")" : "";
        context.fillText("node " + section.node + ": " + bytesText(section.bytes) + " from 0x" + section.start.toString(16) + hole,
          Math.max(box.x, 0) + 4, box.y + header - 9);
      });
      const tileWide = world.tileWidth * eye.scale, verdicts = tallyOf(map).verdicts;
      itemsInView(index => {
        const box = onScreen(itemBox(index)), item = items[index];
        if (item.tile < 0) {
          context.setLineDash([3, 3]);
          context.strokeStyle = soft;
          context.strokeRect(box.x + 0.5, box.y + 0.5, box.width - 1, box.height - 1);
          context.setLineDash([]);
          const words = [["hole of", bytesText(item.bytes)], [bytesText(item.bytes)]]
            .find(lines => lines.every(line => context.measureText(line).width < box.width - 4) && lines.length * 15 < box.height);
          context.fillStyle = soft;
          (words || []).forEach((line, at) => context.fillText(line, box.x + (box.width - context.measureText(line).width) / 2,
            box.y + box.height / 2 + (at - (words.length - 1) / 2) * 15));
        } else if (tileWide >= 9 && verdicts[item.tile] === 1) {
          context.lineWidth = tileWide >= 40 ? 2 : 1;
          context.strokeStyle = isDark ? "#62d2ab" : "#0b6b4f";
          const out = context.lineWidth / 2;
          context.strokeRect(box.x - out, box.y - out, box.width + 2 * out, box.height + 2 * out);
          context.lineWidth = 1;
        }
      });
      if (cursor !== null) {
        const box = onScreen(blockBox(cursor, Math.min(drawnLevel() + (cellWidth() < 1 ? 1 : 0), levelCount - 1)));
        context.strokeStyle = isDark ? "#000" : "#fff";
        context.lineWidth = 4;
        context.strokeRect(box.x - 1, box.y - 1, box.width + 2, box.height + 2);
        context.strokeStyle = ink;
        context.lineWidth = 2;
        context.strokeRect(box.x - 1, box.y - 1, box.width + 2, box.height + 2);
        context.lineWidth = 1;
      }
    }

    """#
}
