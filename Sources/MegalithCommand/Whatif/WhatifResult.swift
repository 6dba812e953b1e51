import HostMemory
import Lab
import MemoryUnits

/// What came of a host's two lives.
struct WhatifResult {
  let survey: Survey
  let asItIs: RunTrace
  let changed: RunTrace
  let life: HostLife
  let settings: WhatifSettings
  let length: Seconds
  let seed: UInt64

  /// Pages of a size at a moment: what could be had beside those that pools hold.
  struct Pages: Encodable {
    let obtainable: UInt64
    let held: UInt64
  }

  struct Size {
    let size: PageSize
    let survey: UInt64
    let now: Pages
    let later: Pages
    let booted: Pages
    let bootedLater: Pages
  }

  /// Largest first.
  var sizes: [Size] {
    survey.sizes.reversed().map { result in
      Size(
        size: result.size, survey: result.obtainable, now: Self.pages(result.size, asItIs, isLast: false),
        later: Self.pages(result.size, asItIs, isLast: true), booted: Self.pages(result.size, changed, isLast: false),
        bootedLater: Self.pages(result.size, changed, isLast: true))
    }
  }

  private static func pages(_ size: PageSize, _ trace: RunTrace, isLast: Bool) -> Pages {
    func value(_ name: String) -> UInt64 {
      let values = trace.series.first { $0.name == "\(name).\(size)" }?.values ?? []
      return (isLast ? values.last : values.first) ?? 0
    }
    return Pages(obtainable: value("obtainable"), held: value("pool"))
  }

  /// What happened between the boot and the life: memory plugged in, pools filled.
  var steps: [RunTrace.Event] {
    changed.events.filter { event in !["start", "run", "look"].contains { event.step.hasPrefix($0 + " ") } }
  }

  var isComplete: Bool { asItIs.isGood && changed.isGood }

  /// What the answer rests on.
  var assumptions: [String] {
    [
      "The memory map is the host's. The kernel's image and what else it reserves are as large as here, but lie where a boot puts them.",
      "Who allocates is a model: the amounts are the host's, who lives how long is the server workload's. The same seed gives the same life.",
      "The survey counts what a request would get this moment; all other columns count what there is once the kernel has handed over all memory, moved what moves and dropped its file cache.",
      "The host goes on from what it holds now. Memory of drivers and other parts of the kernel that it does not name stays as it is.",
      "A boot begins with what a start reads, which spoils more large pages than what follows.",
    ]
  }
}
