extension PageScript {
  /// Zoom, the trail of places, the tip, keys and the slider.
  static let controls = #"""
    // Zooming.
    const fit = box => Math.min(size.width / box.width, size.height / box.height);
    const mostScale = () => fit(blockBox(0, 0)) * 0.9;
    function lookAt(x, y, scale) {
      eye.scale = clamp(scale, 1, Math.max(mostScale(), 1));
      const wide = size.width / eye.scale, high = size.height / eye.scale;
      eye.x = eye.scale === 1 ? 0 : clamp(x, -wide / 2, world.width - wide / 2);
      eye.y = eye.scale === 1 ? 0 : clamp(y, -high / 2, world.height - high / 2);
      canvas.classList.toggle("near", eye.scale > 1);
      hideTip();
      showCrumbs();
      redraw();
    }
    let moving = 0;
    function glide(x, y, scale) {
      cancelAnimationFrame(moving);
      if (isCalm) { lookAt(x, y, scale); return; }
      const from = { x: eye.x + size.width / eye.scale / 2, y: eye.y + size.height / eye.scale / 2, scale: eye.scale };
      const to = { x: x + size.width / scale / 2, y: y + size.height / scale / 2 }, began = performance.now(), ratio = scale / from.scale;
      const step = now => {
        const part = clamp((now - began) / 220, 0, 1), wide = from.scale * ratio ** part;
        // The place that both views have in common stays where it is.
        const way = Math.abs(ratio - 1) < 0.01 ? part : (1 - 1 / ratio ** part) / (1 - 1 / ratio);
        const midX = from.x + (to.x - from.x) * way, midY = from.y + (to.y - from.y) * way;
        if (part === 1) { lookAt(x, y, scale); return; }
        lookAt(midX - size.width / wide / 2, midY - size.height / wide / 2, wide);
        moving = requestAnimationFrame(step);
      };
      moving = requestAnimationFrame(step);
    }
    function glideTo(box) {
      const scale = clamp(fit(box) * 0.9, 1, mostScale());
      glide(box.x + box.width / 2 - size.width / scale / 2, box.y + box.height / 2 - size.height / scale / 2, scale);
    }
    function zoomBy(factor, x, y) {
      cancelAnimationFrame(moving);
      const scale = clamp(eye.scale * factor, 1, mostScale());
      lookAt(eye.x + x / eye.scale - x / scale, eye.y + y / eye.scale - y / scale, scale);
    }
    function zoomByButton(factor) {
      const box = cursor === null ? null : onScreen(blockBox(cursor, 0));
      if (box && isSeen(box)) zoomBy(factor, box.x + box.width / 2, box.y + box.height / 2);
      else zoomBy(factor, size.width / 2, size.height / 2);
    }

    // The trail: the whole machine, a node, a range, a pageblock.
    function slotInView() {
      if (cursor !== null && isSeen(onScreen(blockBox(cursor, 0)))) return cursor;
      // From the middle outwards, since a gap may be there.
      const parts = [0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8, 0.1, 0.9];
      for (const down of parts) {
        for (const across of parts) {
          const found = foundAt({ x: size.width * across, y: size.height * down });
          if (found && found.slot !== undefined) return found.slot;
        }
      }
      return null;
    }
    function depth() {
      const slot = slotInView();
      if (slot === null || eye.scale <= 1.02) return 0;
      const tile = tiles[Math.floor(slot / perTile)];
      if (levelCount > 1 && eye.scale >= fit(blockBox(slot, 0)) * 0.45) return 3;
      return eye.scale >= fit(itemBox(tile.item)) * 0.55 ? 2 : 1;
    }
    function showCrumbs() {
      const slot = slotInView(), deep = depth(), list = $("crumbs");
      const trail = [["whole machine", goHome]];
      if (deep >= 1) {
        const tile = tiles[Math.floor(slot / perTile)];
        trail.push(["node " + sections[tile.section].node, () => glideTo(sectionBox(tile.section))]);
        if (deep >= 2) trail.push([bytesText(tileBytes) + " " + rangeText(tile.base, tile.base + tileBytes), () => glideTo(itemBox(tile.item))]);
        if (deep >= 3) trail.push([cellName + " " + rangeText(addressOf(slot), addressOf(slot) + cellBytes), () => glideTo(blockBox(slot, 0))]);
      }
      const key = trail.map(step => step[0]).join("/");
      if (list.dataset.trail === key) return;
      list.dataset.trail = key;
      list.replaceChildren(...trail.map(([name, go], index) => {
        if (index === trail.length - 1) return element("li", { "aria-current": "location" }, name);
        const button = element("button", { type: "button" }, name);
        button.addEventListener("click", go);
        return element("li", {}, button);
      }));
    }
    const goHome = () => glide(0, 0, 1);
    function goNearer(slot) {
      // On a machine of few ranges these fill the view from the start.
      const tile = itemBox(tiles[Math.floor(slot / perTile)].item), isTileNearer = depth() < 2 && fit(tile) * 0.9 > eye.scale * 1.05;
      select(slot);
      glideTo(isTileNearer ? tile : blockBox(slot, 0));
    }
    function goBack() {
      const deep = depth(), slot = slotInView();
      if (deep === 3) glideTo(itemBox(tiles[Math.floor(slot / perTile)].item));
      else if (deep === 2 && sections.length > 1) glideTo(sectionBox(tiles[Math.floor(slot / perTile)].section));
      else goHome();
    }

    // What is pointed at.
    const hideTip = () => { $("tip").hidden = true; };
    function linesAt(found) {
      if (!found) return null;
      if (found.gap) return ["Hole of " + bytesText(found.gap.bytes), rangeText(found.gap.start, found.gap.start + found.gap.bytes) + " is no memory"];
      return describe(openMap(shown), found.slot, Math.min(drawnLevel(), levelCount - 1), false);
    }
    const at = event => { const box = canvas.getBoundingClientRect(); return { x: event.clientX - box.left, y: event.clientY - box.top }; };
    const foundAt = place => findAt(eye.x + place.x / eye.scale, eye.y + place.y / eye.scale);
    function showTip(place) {
      const lines = linesAt(foundAt(place)), tip = $("tip");
      tip.hidden = !lines;
      if (!lines) return;
      tip.replaceChildren(...lines.map(line => element("div", {}, line)));
      tip.style.left = clamp(place.x + 14, 4, Math.max(size.width - tip.offsetWidth - 6, 4)) + "px";
      const below = place.y + 18;
      tip.style.top = Math.max(below + tip.offsetHeight > size.height - 4 ? place.y - tip.offsetHeight - 12 : below, 2) + "px";
    }
    function select(slot) {
      cursor = slot;
      say();
      showCrumbs();
      redraw();
    }
    function say() {
      if (cursor !== null) $("where").textContent = linesAt({ slot: cursor }).join("\n");
    }

    function watchPointer() {
      const touches = new Map();
      let dragged = false, spread = 0;
      const middle = () => {
        const places = [...touches.values()];
        return { x: places.reduce((sum, place) => sum + place.x, 0) / places.length, y: places.reduce((sum, place) => sum + place.y, 0) / places.length };
      };
      canvas.addEventListener("pointerdown", event => {
        touches.set(event.pointerId, at(event));
        if (touches.size === 1) dragged = false;
        spread = 0;
      });
      canvas.addEventListener("pointermove", event => {
        const place = at(event), before = touches.get(event.pointerId);
        if (!before) { if (event.pointerType === "mouse") showTip(place); return; }
        if (!dragged && Math.hypot(place.x - before.x, place.y - before.y) < 4) return;
        if (!dragged) { dragged = true; canvas.setPointerCapture(event.pointerId); canvas.classList.add("dragged"); }
        const from = middle();
        touches.set(event.pointerId, place);
        const to = middle();
        if (touches.size === 2) {
          const [one, two] = [...touches.values()], wide = Math.hypot(one.x - two.x, one.y - two.y);
          if (spread > 0) zoomBy(wide / spread, to.x, to.y);
          spread = wide;
        }
        if (eye.scale > 1) lookAt(eye.x - (to.x - from.x) / eye.scale, eye.y - (to.y - from.y) / eye.scale, eye.scale);
      });
      const end = event => {
        if (!touches.delete(event.pointerId)) return;
        canvas.classList.remove("dragged");
        spread = 0;
        const found = dragged || event.type === "pointercancel" ? null : foundAt(at(event));
        if (found && found.slot !== undefined) select(found.slot);
      };
      canvas.addEventListener("pointerup", end);
      canvas.addEventListener("pointercancel", end);
      canvas.addEventListener("pointerleave", hideTip);
      canvas.addEventListener("dblclick", event => {
        event.preventDefault();
        const found = foundAt(at(event));
        if (event.shiftKey) goBack(); else if (found && found.slot !== undefined) goNearer(found.slot);
      });
      canvas.addEventListener("wheel", event => {
        // At the whole machine the page scrolls on.
        if (event.deltaY > 0 && eye.scale <= 1) return;
        event.preventDefault();
        const place = at(event), pixels = event.deltaY * (event.deltaMode === 1 ? 20 : 1);
        zoomBy(2 ** clamp(-pixels / 160, -1.5, 1.5), place.x, place.y);
        showTip(place);
      }, { passive: false });
    }
    function watchKeys() {
      const step = by => {
        const level = drawnLevel(), unit = 4 ** level, blocks = openMap(shown).levels[level];
        const isHole = slot => slot >= 0 && slot < slotCount && blocks[Math.floor(slot / unit)] === 0;
        let slot = cursor === null ? slotInView() : cursor + by * unit;
        if (slot === null || cursor === null && isHole(slot)) slot = pieces[0].slot;
        while (by !== 0 && isHole(slot)) slot += Math.sign(by) * unit;
        if (slot < 0 || slot >= slotCount) return;
        select(slot);
        const box = onScreen(blockBox(slot, 0));
        if (eye.scale > 1 && (box.x < 0 || box.y < 0 || box.x + box.width > size.width || box.y + box.height > size.height)) {
          lookAt(eye.x + (box.x + box.width / 2 - size.width / 2) / eye.scale, eye.y + (box.y + box.height / 2 - size.height / 2) / eye.scale, eye.scale);
        }
      };
      const keys = {
        ArrowRight: () => step(1), ArrowLeft: () => step(-1),
        ArrowDown: () => step(Math.max(perTile / 4 ** drawnLevel(), 1)), ArrowUp: () => step(-Math.max(perTile / 4 ** drawnLevel(), 1)),
        Enter: () => { if (cursor === null) step(0); if (cursor !== null) goNearer(cursor); },
        Backspace: goBack, Home: goHome, "+": () => zoomByButton(2), "=": () => zoomByButton(2), "-": () => zoomByButton(0.5),
        ",": () => showMap(shown - 1), ".": () => showMap(shown + 1), " ": togglePlay,
      };
      canvas.addEventListener("keydown", event => {
        if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
        event.preventDefault();
        keys[event.key]();
      });
    }

    // Time.
    let playing = 0;
    function togglePlay() {
      if (playing) clearInterval(playing);
      else if (shown === trace.maps.length - 1) showMap(0);
      playing = playing ? 0 : setInterval(() => { if (shown < trace.maps.length - 1) showMap(shown + 1); else togglePlay(); }, 700);
      $("play").textContent = playing ? "Pause" : "Play";
      $("play").setAttribute("aria-pressed", String(playing !== 0));
    }
    function showMap(index) {
      shown = clamp(index, 0, trace.maps.length - 1);
      const map = trace.maps[shown], words = secondsText(map.time) + (map.label ? ", " + map.label : "");
      $("slider").value = shown;
      $("slider").setAttribute("aria-valuetext", words);
      $("now").textContent = "Map " + (shown + 1) + " of " + trace.maps.length + ": " + words;
      hideTip();
      say();
      showRanges();
      showAmounts();
      showTimes(null);
      redraw();
    }
    function showMapAt(time) { showMap(Math.max(lastAtMost(trace.maps, "time", time), 0)); }

    """#
}
