import MemoryUnits
import PhysicalLayout

/// `megalith.layout/1`: frames as numbers, ranges half-open, sections and blocks by index and inclusive.
struct LayoutDocument: Encodable {
  let schema = "megalith.layout/1"
  let architecture: String
  let basePage: UInt64
  let nodes: [Node]
  let zones: [Zone]
  let sectionBytes: UInt64
  let sections: [[UInt64]]
  let blockBytes: UInt64
  let blocks: [[UInt64]]
  let holes: [[UInt64]]
  let bootPages: [Pages]?

  struct Pages: Encodable {
    let size: String
    let node: UInt32
    let frames: [UInt64]
  }

  struct Node: Encodable {
    let node: UInt32
    let start: UInt64
    let end: UInt64
    let present: UInt64
    let memory: [[UInt64]]
  }

  struct Zone: Encodable {
    let node: UInt32
    let name: String
    let start: UInt64
    let spanned: UInt64
    let present: UInt64
  }

  init(_ layout: BootLayout, _ bootPages: [BootPages]?) {
    architecture = layout.architecture.name
    basePage = layout.architecture.baseShift.bytes.rawValue
    nodes = layout.nodes.map {
      Node(
        node: $0.node.rawValue, start: $0.span.start.rawValue, end: $0.span.end.rawValue, present: $0.present.rawValue,
        memory: $0.memory.map { [$0.start.rawValue, $0.end.rawValue] })
    }
    zones = layout.zones.map {
      Zone(
        node: $0.node.rawValue, name: $0.kind.description, start: $0.span.start.rawValue, spanned: $0.span.count.rawValue,
        present: $0.present.rawValue)
    }
    sectionBytes = layout.architecture.sectionSize.rawValue
    sections = layout.sections.map(\.inclusive)
    blockBytes = layout.memoryBlockSize.rawValue
    blocks = layout.memoryBlocks.map(\.inclusive)
    holes = layout.holes.map { [$0.start.rawValue, $0.end.rawValue] }
    self.bootPages = bootPages?.map {
      Pages(size: $0.size.description, node: $0.node.rawValue, frames: $0.frames.map(\.rawValue))
    }
  }
}

extension UnitRange {
  fileprivate var inclusive: [UInt64] { [start.rawValue, end.rawValue - 1] }
}

/// The layout for people.
struct LayoutScreen {
  private let layout: BootLayout
  private let bootPages: [BootPages]?

  init(_ layout: BootLayout, _ bootPages: [BootPages]?) {
    self.layout = layout
    self.bootPages = bootPages
  }

  func lines() -> [String] {
    let shift = layout.architecture.baseShift
    func size(_ frames: FrameCount) -> String { ByteCount(frames, shift).forPeople }
    var zones = TextTable([
      .init(title: "node", isNumber: true), .init(title: "zone", isNumber: false), .init(title: "start", isNumber: true),
      .init(title: "end", isNumber: true), .init(title: "spanned", isNumber: true), .init(title: "present", isNumber: true),
      .init(title: "size", isNumber: true),
    ])
    for zone in layout.zones {
      zones.add([
        "\(zone.node)", "\(zone.kind)", "\(zone.span.start)", "\(zone.span.end)", "\(zone.span.count)", "\(zone.present)",
        size(zone.present),
      ])
    }
    var lines = ["\(size(layout.present)) of memory, \(layout.architecture.name)", ""] + zones.lines()
    lines += ["", "Memory blocks of \(layout.memoryBlockSize): " + runs(layout.memoryBlocks)]
    lines += ["Sections of \(layout.architecture.sectionSize): " + runs(layout.sections)]
    lines += ["", layout.holes.isEmpty ? "No holes." : "Holes"]
    lines += layout.holes.map { "  \($0)  \(size($0.count))" }
    if let bootPages {
      lines += ["", bootPages.isEmpty ? "No pages are obtained at boot." : "Pages obtained at boot"]
      for pages in bootPages {
        lines.append(
          "  node \(pages.node): \(pages.frames.count) of \(pages.size), at "
            + pages.frames.map(\.description).joined(separator: " "))
      }
    }
    return lines
  }

  private func runs<Bound>(_ ranges: [UnitRange<Bound>]) -> String {
    ranges.map { range in
      let last = range.end.rawValue - 1
      return range.start.rawValue == last ? "\(last)" : "\(range.start.rawValue)-\(last)"
    }.joined(separator: " ")
  }
}
