/// The style of the page. Colours of owners are the script's, since it paints with them.
enum PageStyle {
  static let text = #"""
    :root {
      color-scheme: light dark;
      --back: #ffffff; --raised: #f5f6f8; --ink: #1b1f24; --soft: #57606a; --line: #d4d9df; --accent: #0a58b0;
      --good: #0b6b4f; --bad: #a31621; --bad-back: #fdecec; --part-back: #fff6dc;
    }
    @media (prefers-color-scheme: dark) {
      :root {
        --back: #14171b; --raised: #1e2329; --ink: #e8ebee; --soft: #a3adb8; --line: #38414b; --accent: #79b8ff;
        --good: #62d2ab; --bad: #ff8f8f; --bad-back: #3c1d20; --part-back: #372f18;
      }
    }
    * { box-sizing: border-box; }
    body { margin: 0; background: var(--back); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
    main { max-width: 1240px; margin: 0 auto; padding: 16px 20px 48px; }
    h1 { font-size: 1.7rem; margin: 0 0 4px; overflow-wrap: anywhere; }
    h2 { font-size: 1.15rem; margin: 28px 0 8px; border-bottom: 1px solid var(--line); padding-bottom: 4px; }
    h3 { font-size: 0.95rem; margin: 0; }
    header p, #lesson p { max-width: 75ch; white-space: pre-line; margin: 8px 0; overflow-wrap: anywhere; }
    .verdict { font-weight: 600; }
    .good { color: var(--good); }
    .bad { color: var(--bad); }
    .help, .note { color: var(--soft); font-size: 0.87rem; }
    .note { margin: 2px 0 0; }
    .facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: 6px 20px; margin: 0; }
    .facts dt { color: var(--soft); font-size: 0.82rem; }
    .facts dd { margin: 0; white-space: pre-line; overflow-wrap: anywhere; }
    .facts div:last-child { grid-column: 1 / -1; }
    .scroll { max-height: 24rem; overflow: auto; border: 1px solid var(--line); border-radius: 6px; }
    table { border-collapse: collapse; width: 100%; }
    table.narrow { width: auto; min-width: min(100%, 26rem); }
    th, td { text-align: left; vertical-align: top; padding: 5px 10px; border-bottom: 1px solid var(--line); }
    th { font-weight: 600; }
    tbody th { font-weight: 400; }
    .scroll thead th { position: sticky; top: 0; background: var(--raised); }
    .number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
    code { font: 0.92em/1.4 ui-monospace, monospace; overflow-wrap: anywhere; }
    tr.failed td { background: var(--bad-back); }
    tr.failed .outcome { color: var(--bad); font-weight: 700; }
    tr.failed .outcome::before { content: "\2717  "; }
    tr.inPart td { background: var(--part-back); }
    tr.inPart .outcome::before { content: "\25D0  "; }
    tr.done .outcome::before { content: "\2713  "; }
    .outcome { white-space: nowrap; }
    button {
      font: inherit; color: inherit; background: var(--raised); border: 1px solid var(--line); border-radius: 6px;
      padding: 4px 12px; min-height: 34px; cursor: pointer;
    }
    button:hover { border-color: var(--accent); }
    button:disabled { opacity: 0.5; cursor: default; }
    button.time, #crumbs button { background: none; border: none; padding: 0 2px; min-height: 0; color: var(--accent); }
    button.time { text-decoration: underline dotted; }
    :focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
    .bar { display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between; gap: 8px 16px; margin: 8px 0; }
    .buttons { display: flex; gap: 6px; }
    .buttons button { min-width: 40px; }
    .time #slider { flex: 1 1 200px; min-width: 120px; accent-color: var(--accent); height: 28px; }
    #play { min-width: 76px; }
    #now { font-variant-numeric: tabular-nums; min-width: 15rem; }
    #crumbs { display: flex; flex-wrap: wrap; list-style: none; margin: 0; padding: 0; font-size: 0.93rem; }
    #crumbs li + li::before { content: "/"; color: var(--soft); padding: 0 6px; }
    #crumbs [aria-current] { font-weight: 600; }
    #frame { position: relative; border: 1px solid var(--line); border-radius: 6px; overflow: hidden; background: var(--raised); }
    #map { display: block; width: 100%; height: clamp(280px, 52vh, 560px); cursor: crosshair; touch-action: pan-y; }
    #map.near { touch-action: none; }
    #map.dragged { cursor: grabbing; }
    #map:focus-visible { outline-offset: -3px; }
    #tip {
      position: absolute; pointer-events: none; max-width: min(340px, 90%); background: var(--back); color: var(--ink);
      border: 1px solid var(--soft); border-radius: 6px; padding: 6px 10px; font-size: 0.86rem; line-height: 1.4;
      box-shadow: 0 3px 12px rgb(0 0 0 / 25%); z-index: 2; overflow-wrap: anywhere;
    }
    #tip[hidden] { display: none; }
    #tip div:first-child { font-weight: 600; }
    #ranges { margin: 4px 0; font-weight: 600; }
    #where { margin: 4px 0 8px; min-height: 3em; white-space: pre-line; font-size: 0.92rem; overflow-wrap: anywhere; }
    #legend { display: flex; flex-wrap: wrap; gap: 6px; list-style: none; padding: 0; margin: 0 0 8px; }
    #legend button { display: flex; align-items: center; gap: 8px; font-size: 0.88rem; max-width: 100%; text-align: left; }
    #legend button[aria-pressed="true"] { border-color: var(--accent); box-shadow: inset 0 0 0 1px var(--accent); }
    #legend canvas { width: 22px; height: 16px; flex: none; border: 1px solid var(--soft); }
    #legend .owner { overflow-wrap: anywhere; }
    #legend .kind { color: var(--soft); }
    #shape { position: absolute; }
    #charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 430px), 1fr)); gap: 16px 24px; }
    .chart svg { display: block; width: 100%; height: 190px; touch-action: pan-y; cursor: crosshair; }
    .chart .axis { stroke: var(--line); stroke-width: 1; }
    .chart text { fill: var(--soft); font-size: 11px; }
    .chart .cursor { stroke: var(--ink); stroke-width: 1; stroke-dasharray: 2 2; }
    .chart .shown { stroke: var(--accent); stroke-width: 2; }
    .chart path { fill: none; stroke-width: 2; stroke-linejoin: round; }
    .chart ul { list-style: none; margin: 4px 0 0; padding: 0; display: grid; gap: 0 14px;
      grid-template-columns: repeat(auto-fill, minmax(200px, 1fr)); }
    .chart label { display: flex; align-items: center; gap: 6px; font-size: 0.86rem; min-height: 26px; }
    .chart label svg { width: 26px; height: 10px; flex: none; }
    .chart .name { flex: 1; overflow-wrap: anywhere; }
    .chart .value { font-variant-numeric: tabular-nums; white-space: nowrap; }
    details { margin-top: 12px; }
    summary { cursor: pointer; }
    @media (max-width: 600px) {
      main { padding: 12px 12px 40px; }
      th, td { padding: 5px 6px; }
      #steps table { min-width: 620px; }
      #now { min-width: 100%; }
      #map { height: 56vh; }
    }
    @media print { .buttons, .time, .help, #document { display: none; } .scroll { max-height: none; } }

    """#
}
