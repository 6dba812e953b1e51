/// The page's script: its parts, in the order in which they need each other.
enum PageScript {
  static let text =
    "\"use strict\";\n(() => {\n" + base + colours + cells + layout + view + words + controls + charts + start + "})();\n"

  /// The trace, and how numbers are written (`ReportNumbers` has the same rules).
  static let base = #"""
    const $ = id => document.getElementById(id);
    const trace = JSON.parse($("trace").textContent);
    const machine = trace.machine;
    const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;

    const byteUnits = [["PiB", 2 ** 50], ["TiB", 2 ** 40], ["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 2 ** 10]];
    function bytesText(value) {
      for (const [name, size] of byteUnits) {
        if (value < size) continue;
        const whole = Math.floor(value / size), tenths = Math.floor((value % size) * 10 / size);
        return (whole >= 100 || tenths === 0 ? whole : whole + "." + tenths) + " " + name;
      }
      return value === 1 ? "1 byte" : value + " bytes";
    }
    const countText = value => String(value).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
    function percentText(basisPoints) {
      const rest = basisPoints % 100, whole = countText(Math.floor(basisPoints / 100));
      if (rest === 0) return whole + " %";
      return whole + "." + (rest % 10 === 0 ? rest / 10 : (rest < 10 ? "0" : "") + rest) + " %";
    }
    function secondsText(value) {
      const parts = [];
      for (const [name, size] of [["d", 86400], ["h", 3600], ["m", 60], ["s", 1]]) {
        const amount = Math.floor(value / size);
        value %= size;
        if (amount > 0) parts.push(amount + name); else if (parts.length) break;
        if (parts.length === 2) break;
      }
      return parts.length ? parts.join(" ") : "0s";
    }
    function valueText(value, unit) {
      if (value === undefined) return "";
      if (unit === "bytes") return bytesText(value);
      if (unit === "pages") return value === 1 ? "1 page" : countText(value) + " pages";
      return unit === "basisPoints" ? percentText(value) : countText(value);
    }
    const shareText = share => share === 255 ? "100 %" : share === 0 ? "0 %" : share < 3 ? "under 1 %" : Math.min(99, Math.floor(share / 2.55)) + " %";
    const rangeText = (start, end) => "[0x" + start.toString(16) + ", 0x" + end.toString(16) + ")";
    const clamp = (value, least, most) => Math.min(Math.max(value, least), most);

    function element(name, attributes, ...children) {
      const made = document.createElement(name);
      for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
      made.append(...children);
      return made;
    }

    """#
}
