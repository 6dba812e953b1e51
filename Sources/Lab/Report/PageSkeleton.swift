/// The parts of the page that the script fills.
enum PageSkeleton {
  /// What the page may load: nothing but what stands in it.
  static let policy =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"

  static let map = #"""
    <section id="memory"><h2>Physical memory</h2>
    <noscript><p>The map and the charts need the page's script.</p></noscript>
    <div class="bar">
    <nav aria-label="Place in memory"><ol id="crumbs"></ol></nav>
    <div class="buttons" role="group" aria-label="Zoom">
    <button type="button" id="zoom-in" aria-label="Zoom in">+</button>
    <button type="button" id="zoom-out" aria-label="Zoom out">&minus;</button>
    <button type="button" id="zoom-reset">Reset</button>
    </div></div>
    <div id="frame">
    <canvas id="map" tabindex="0" role="application" aria-label="Map of physical memory" aria-describedby="map-help where"></canvas>
    <div id="tip" aria-hidden="true" hidden></div>
    </div>
    <div class="bar time">
    <button type="button" id="play" aria-pressed="false">Play</button>
    <input type="range" id="slider" min="0" step="1" value="0" aria-label="Time of the map">
    <output id="now" for="slider"></output>
    </div>
    <p id="ranges"></p>
    <p id="where" aria-live="polite">Point at the map, or click it, to see what a place holds.</p>
    <ul id="legend" aria-label="Owners"></ul>
    <p id="map-help" class="help">Wheel, + and &minus; zoom; drag to move; double click, or Enter, goes one step nearer. With the map
    focused, Left and Right go through memory, Up and Down from range to range, Backspace one step back, Home to the whole machine, comma and
    full stop to the map before and after, and space plays.</p>
    </section>

    """#

  static let charts = #"""
    <section id="counters"><h2>Counters over time</h2>
    <p id="at" class="help"></p>
    <svg id="shape" width="0" height="0" aria-hidden="true"></svg>
    <div id="charts"></div>

    """#

  static let data = #"""
    <section id="document"><h2>Data</h2>
    <p>All of this page is made from one document, <code>megalith.run/1</code>, which stands in it.
    <button type="button" id="download">Download the JSON</button></p>
    </section>

    """#
}
