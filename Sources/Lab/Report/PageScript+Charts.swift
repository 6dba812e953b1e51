extension PageScript {
  /// A chart for each unit, whose lines can be chosen. The values beside the names are of the time that is pointed at, else of the map's.
  static let charts = #"""
    const lineColours = [
      ["#0a58b0", "#79b8ff"], ["#c25e00", "#ffb066"], ["#0b6b4f", "#62d2ab"], ["#8a1a6b", "#f0a0dc"], ["#57606a", "#c3ccd6"], ["#a31621", "#ff8f8f"],
    ];
    const dashes = ["", "7 3", "2 3", "9 3 2 3", "14 4", "4 2 1 2"];
    const chartUnits = { bytes: "Bytes", pages: "Pages", count: "Counts", basisPoints: "Shares" };
    const allCharts = [];
    const shape = name => document.createElementNS($("shape").namespaceURI, name);
    function drawn(name, attributes) {
      const made = shape(name);
      for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
      return made;
    }
    const lastTime = () => Math.max(trace.times.at(-1) || 0, trace.maps.length ? trace.maps.at(-1).time : 0, 1);

    function makeChart(unit) {
      const chart = { unit, series: trace.series.filter(series => series.unit === unit), svg: shape("svg"), values: [], width: 0 };
      chart.isOn = chart.series.map((_, index) => index < 4);
      const list = element("ul", { "aria-label": "Lines of the chart of " + chartUnits[unit].toLowerCase() });
      chart.series.forEach((series, index) => {
        const box = element("input", { type: "checkbox" }), value = element("span", { class: "value" });
        const swatch = drawn("svg", { viewBox: "0 0 26 10", "aria-hidden": "true" });
        box.checked = chart.isOn[index];
        box.addEventListener("change", () => { chart.isOn[index] = box.checked; drawChart(chart); });
        swatch.append(drawn("path", { d: "M0 5H26", "data-line": index }));
        chart.values.push(value);
        list.append(element("li", {}, element("label", {}, box, swatch, element("span", { class: "name" }, series.name), value)));
      });
      chart.list = list;
      chart.svg.setAttribute("role", "img");
      chart.svg.setAttribute("aria-label", chartUnits[unit] + " over time: " + chart.series.map(series => series.name).join(", "));
      chart.svg.addEventListener("pointermove", event => showTimes(timeAt(chart, event)));
      chart.svg.addEventListener("pointerleave", () => showTimes(null));
      chart.svg.addEventListener("click", event => { if (trace.maps.length) showMapAt(timeAt(chart, event)); });
      $("charts").append(element("div", { class: "chart" }, element("h3", {}, chartUnits[unit]), chart.svg, list));
      allCharts.push(chart);
    }
    const chartLeft = 62, chartRight = 10, chartTop = 8, chartBottom = 168;
    const chartX = (chart, time) => chartLeft + time / lastTime() * (chart.width - chartLeft - chartRight);
    function timeAt(chart, event) {
      const box = chart.svg.getBoundingClientRect();
      return clamp((event.clientX - box.left - chartLeft) / (chart.width - chartLeft - chartRight), 0, 1) * lastTime();
    }
    // Steps of 1, 2 or 5, of bytes by powers of two, so that at most five lines lie below the top.
    function axisStep(most, unit) {
      let step = 1;
      if (unit === "bytes") { while (most / step > 5) step *= 2; return step; }
      for (let factor = 1; ; factor *= 10) for (const part of [1, 2, 5]) if (most / (part * factor) <= 5) return part * factor;
    }
    function drawChart(chart) {
      const svg = chart.svg;
      chart.width = Math.max(svg.getBoundingClientRect().width, 200);
      svg.setAttribute("viewBox", "0 0 " + chart.width + " 190");
      svg.replaceChildren();
      let most = 1;
      chart.series.forEach((series, index) => { if (chart.isOn[index]) for (const value of series.values) if (value > most) most = value; });
      const step = axisStep(most, chart.unit), top = Math.ceil(most / step) * step;
      const y = value => chartBottom - value / top * (chartBottom - chartTop);
      const text = (words, x, at, anchor) => {
        const made = drawn("text", { x, y: at, "text-anchor": anchor });
        made.textContent = words;
        svg.append(made);
      };
      for (let value = 0; value <= top; value += step) {
        svg.append(drawn("line", { class: "axis", x1: chartLeft, x2: chart.width - chartRight, y1: y(value), y2: y(value) }));
        text(chart.unit === "pages" ? countText(value) : valueText(value, chart.unit).replace("0 bytes", "0"), chartLeft - 6, y(value) + 4, "end");
      }
      const ticks = chart.width > 380 ? 4 : 2;
      for (let tick = 0; tick <= ticks; tick++) {
        const time = lastTime() * tick / ticks;
        text(secondsText(Math.round(time)), chartX(chart, time), 184, tick === 0 ? "start" : tick === ticks ? "end" : "middle");
      }
      chart.series.forEach((series, index) => {
        const colour = lineColours[index % lineColours.length][isDark ? 1 : 0], dash = dashes[Math.floor(index / lineColours.length + index) % dashes.length];
        const swatch = chart.list.querySelectorAll("path")[index];
        for (const path of [swatch, chart.isOn[index] ? svg.appendChild(drawn("path", { d: pathOf(chart, series, y) })) : null]) {
          if (!path) continue;
          path.setAttribute("stroke", colour);
          path.setAttribute("stroke-dasharray", dash);
        }
      });
      chart.shown = svg.appendChild(drawn("line", { class: "shown", y1: chartTop, y2: chartBottom }));
      chart.cursor = svg.appendChild(drawn("line", { class: "cursor", y1: chartTop, y2: chartBottom, visibility: "hidden" }));
      showTimes(null);
    }
    function pathOf(chart, series, y) {
      let path = "";
      series.values.forEach((value, index) => { path += (index ? "L" : "M") + chartX(chart, trace.times[index] || 0).toFixed(1) + " " + y(value).toFixed(1); });
      return path || "M0 0";
    }
    function rowAt(time) {
      const times = trace.times;
      let low = 0, high = times.length;
      while (low < high) { const middle = (low + high) >> 1; if (times[middle] <= time) low = middle + 1; else high = middle; }
      return Math.max(low - 1, 0);
    }
    // A time that is pointed at, or null for the map's.
    function showTimes(pointed) {
      const map = trace.maps.length ? trace.maps[shown].time : null;
      const row = rowAt(pointed ?? map ?? lastTime());
      if ($("at")) $("at").textContent = "Values at " + secondsText(trace.times[row] || 0) + (pointed === null ? "" : " (pointed at)") + ". A click shows the map of that time.";
      for (const chart of allCharts) {
        chart.series.forEach((series, index) => { chart.values[index].textContent = valueText(series.values[row], series.unit); });
        if (!chart.shown) continue;
        const place = (line, time) => {
          line.setAttribute("visibility", time === null ? "hidden" : "visible");
          if (time !== null) { line.setAttribute("x1", chartX(chart, time)); line.setAttribute("x2", chartX(chart, time)); }
        };
        place(chart.shown, map);
        place(chart.cursor, pointed === null ? null : trace.times[row] || 0);
      }
    }

    """#

  /// The legend, and what sets all in motion.
  static let start = #"""
    const amounts = [];
    function makeLegend() {
      const used = new Set(trace.states.map(state => state.owner));
      trace.owners.forEach((owner, index) => {
        if (!used.has(index) || owner.kind === "hole") return;
        const swatch = element("canvas", { width: 44, height: 32, "aria-hidden": "true" }), amount = element("span", { class: "kind" });
        const name = owner.name === kindName(owner.kind) ? [] : [element("span", { class: "kind" }, kindName(owner.kind))];
        const button = element("button", { type: "button", "aria-pressed": "false" }, swatch, element("span", { class: "owner" }, owner.name), ...name, amount);
        button.addEventListener("click", () => highlight(highlighted === index ? -1 : index));
        $("legend").append(element("li", {}, button));
        amounts.push({ owner: index, button, swatch, amount });
      });
    }
    function paintLegend() {
      for (const { owner, swatch, button } of amounts) {
        const brush = swatch.getContext("2d"), fill = patternFill(brush, patternOf(kindOf(owner)));
        brush.fillStyle = cssColour(ownerColour(owner));
        brush.fillRect(0, 0, 44, 32);
        brush.setTransform(2, 0, 0, 2, 0, 0);
        if (fill) { brush.fillStyle = fill; brush.fillRect(0, 0, 22, 16); }
        brush.setTransform(1, 0, 0, 1, 0, 0);
        button.setAttribute("aria-pressed", String(highlighted === owner));
      }
    }
    // Cells in which an owner is the one most in the way.
    function showAmounts() {
      const uses = openMap(shown).uses, sums = new Map();
      trace.states.forEach((state, index) => sums.set(state.owner, (sums.get(state.owner) || 0) + uses[index]));
      for (const { owner, amount } of amounts) amount.textContent = bytesText((sums.get(owner) || 0) * cellBytes);
    }
    function highlight(owner) {
      highlighted = owner;
      opened.clear();
      makePalette();
      paintLegend();
      redraw();
    }

    function startMap() {
      $("slider").max = trace.maps.length - 1;
      let wanted = 0;
      $("slider").addEventListener("input", () => {
        cancelAnimationFrame(wanted);
        wanted = requestAnimationFrame(() => showMap(Number($("slider").value)));
      });
      $("play").addEventListener("click", togglePlay);
      $("zoom-in").addEventListener("click", () => zoomByButton(2));
      $("zoom-out").addEventListener("click", () => zoomByButton(0.5));
      $("zoom-reset").addEventListener("click", goHome);
      makePalette();
      makeLegend();
      paintLegend();
      watchPointer();
      watchKeys();
      resize();
      new ResizeObserver(resize).observe(canvas);
      for (const button of document.querySelectorAll("button.time")) {
        button.addEventListener("click", () => {
          showMapAt(Number(button.dataset.time));
          $("memory").scrollIntoView({ behavior: isCalm ? "auto" : "smooth" });
          $("slider").focus({ preventScroll: true });
        });
      }
    }
    const drawCharts = () => allCharts.forEach(drawChart);
    function download() {
      const link = element("a", { href: URL.createObjectURL(new Blob([$("trace").textContent], { type: "application/json" })), download: "run.json" });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    }

    const hasMap = trace.maps.length > 0 && tiles.length > 0;
    if (hasMap) startMap(); else if ($("memory")) $("memory").hidden = true;
    if (!hasMap) for (const button of document.querySelectorAll("button.time")) button.disabled = true;
    for (const unit of Object.keys(chartUnits)) if (trace.series.some(series => series.unit === unit)) makeChart(unit);
    drawCharts();
    new ResizeObserver(() => requestAnimationFrame(drawCharts)).observe(document.querySelector("main"));
    darkness.addEventListener("change", () => {
      isDark = darkness.matches;
      if (hasMap) { makePalette(); paintLegend(); redraw(); }
      drawCharts();
    });
    if (hasMap) showMap(trace.maps.length - 1);
    $("download").addEventListener("click", download);

    """#
}
