extension PageScript {
  /// What each kind looks like: what is in the way is dark and warm, what moves is cool, what is free is faint; kinds that could be taken for
  /// each other differ in lightness, and close by in pattern too.
  static let colours = #"""
    const kinds = {
      free: ["free", [208, 215, 225], [50, 58, 69], ""],
      cache: ["file cache", [146, 202, 240], [44, 98, 140], ""],
      movable: ["movable", [52, 124, 196], [70, 136, 208], ""],
      reclaimable: ["reclaimable", [244, 206, 70], [250, 230, 130], "dots"],
      unmovable: ["unmovable", [196, 40, 20], [240, 84, 60], "rising"],
      pinned: ["pinned", [112, 22, 98], [250, 176, 236], "cross"],
      pageTable: ["page tables", [224, 122, 10], [222, 128, 24], "lines"],
      pool: ["pool", [0, 152, 100], [20, 196, 130], ""],
      reserved: ["reserved", [34, 34, 38], [172, 184, 190], ""],
      memmap: ["descriptors", [98, 82, 64], [134, 108, 76], "bars"],
      offline: ["offline", [160, 148, 182], [98, 88, 84], "falling"],
      hole: ["no memory", [250, 251, 252], [22, 26, 31], ""],
    };
    const darkness = matchMedia("(prefers-color-scheme: dark)");
    let isDark = darkness.matches;
    let highlighted = -1;

    const kindOf = owner => trace.owners[owner] ? trace.owners[owner].kind : "free";
    const nameOf = owner => trace.owners[owner] ? trace.owners[owner].name : "unknown";
    const kindName = kind => (kinds[kind] || kinds.reserved)[0];
    const patternOf = kind => (kinds[kind] || kinds.reserved)[3];
    function kindColour(kind) { return (kinds[kind] || kinds.reserved)[isDark ? 2 : 1]; }
    const mix = (from, to, share) => from.map((part, index) => Math.round(part + (to[index] - part) * share));
    const cssColour = colour => "rgb(" + colour.join(",") + ")";

    // Owners of one kind differ in lightness.
    const rankInKind = [];
    {
      const seen = {};
      trace.owners.forEach((owner, index) => { rankInKind[index] = seen[owner.kind] = (seen[owner.kind] ?? -1) + 1; });
    }
    function ownerColour(owner) {
      const step = Math.min(rankInKind[owner] || 0, 3) * 0.18;
      return mix(kindColour(kindOf(owner)), isDark ? [255, 255, 255] : [0, 0, 0], step);
    }

    const shareSteps = 32;
    let palette = new Uint32Array(0), backPixel = 0, holePixel = 0;
    const pixel = colour => (255 << 24 | colour[2] << 16 | colour[1] << 8 | colour[0]) >>> 0;
    function makePalette() {
      isDark = darkness.matches;
      palette = new Uint32Array(Math.max(trace.owners.length, 1) * shareSteps);
      const free = kindColour("free");
      for (let owner = 0; owner * shareSteps < palette.length; owner++) {
        const kind = kindOf(owner), colour = ownerColour(owner);
        const least = kind === "offline" || kind === "hole" ? 1 : isBlocking(kind) ? 0.55 : 0.25;
        for (let step = 0; step < shareSteps; step++) {
          let shade = kind === "free" ? free : mix(free, colour, least + (1 - least) * step / (shareSteps - 1));
          if (highlighted >= 0 && owner !== highlighted) shade = mix(free, shade, 0.12);
          palette[owner * shareSteps + step] = pixel(shade);
        }
      }
      backPixel = pixel(kindColour("hole"));
      holePixel = pixel(mix(kindColour("hole"), free, 0.35));
    }
    // Pages of pools are where they are meant to be; all else that cannot move keeps a larger page from being made.
    function isBlocking(kind) { return !["free", "cache", "movable", "pool", "offline", "hole"].includes(kind); }

    const patterns = new Map();
    function patternFill(context, name) {
      if (!name) return null;
      const key = name + isDark;
      if (!patterns.has(key)) {
        const tile = element("canvas", { width: 8, height: 8 }), brush = tile.getContext("2d");
        brush.strokeStyle = brush.fillStyle = isDark ? "rgba(0,0,0,0.5)" : "rgba(255,255,255,0.55)";
        brush.lineWidth = 1.5;
        const line = (...points) => {
          brush.beginPath();
          for (let at = 0; at < points.length; at += 4) { brush.moveTo(points[at], points[at + 1]); brush.lineTo(points[at + 2], points[at + 3]); }
          brush.stroke();
        };
        if (name === "rising" || name === "cross") line(-1, 9, 9, -1, -5, 5, 5, -5, 3, 13, 13, 3);
        if (name === "falling" || name === "cross") line(-1, -1, 9, 9, 3, -5, 13, 5, -5, 3, 5, 13);
        if (name === "lines") line(0, 2, 8, 2, 0, 6, 8, 6);
        if (name === "bars") line(2, 0, 2, 8, 6, 0, 6, 8);
        if (name === "dots") { brush.fillRect(1, 1, 2, 2); brush.fillRect(5, 5, 2, 2); }
        patterns.set(key, context.createPattern(tile, "repeat"));
      }
      return patterns.get(key);
    }

    """#
}
