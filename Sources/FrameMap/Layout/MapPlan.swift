import MemoryUnits

/// Sizes and places of everything in a map, computed before anything is made.
///
/// Bytes are plain numbers here: this is the one place that turns frames into addresses.
struct MapPlan {
  let model: MemoryModel
  let layout: FrameMapLayout
  let granule: UInt64

  /// What the flat and discontiguous models cover.
  let span: FrameRange
  /// Entries of the table of sections.
  let sectionCount: UInt64
  /// log2 of the words of an entry: one of state, then bits of valid subsections.
  let recordShift: UInt64
  /// log2 of the entries of a leaf of a two-level table.
  let leafShift: UInt64
  /// log2 of the bytes kept for the frame bits of a section that is memory in part.
  let frameBitsShift: UInt64
  let pieces: [FrameMapLayout.OwnedRange]

  /// Bytes of a leaf of a two-level table.
  static let leafBytes: UInt64 = 4096
  static let readerBytes: UInt64 = 64
  static let descriptorBytes: UInt64 = 32

  init(_ layout: FrameMapLayout, _ model: MemoryModel, granule: ByteCount) {
    self.layout = layout
    self.model = model
    self.granule = granule.rawValue
    span = layout.span
    let end = model.canChange ? layout.limit : span.end
    sectionCount = end.aligned(to: layout.sectionFrames, .up).rawValue >> layout.sectionOrder
    if model == .vmemmap {
      let subsections = UInt64(1) << (layout.sectionOrder - layout.subsectionOrder)
      recordShift = log2Up(1 + (subsections + 63) / 64)
    } else {
      recordShift = 0
    }
    leafShift = 9 - recordShift
    frameBitsShift = log2Up(max(granule.rawValue, layout.sectionFrames.rawValue / 8))
    pieces = model == .discontiguous ? layout.pieces : []
  }

  // MARK: Tables, in the order in which they lie; each starts on a granule.

  /// Bytes of the flat table of sections, or of the upper level of two.
  var sectionsBytes: UInt64 {
    model.hasTwoLevels ? (sectionCount + (1 << leafShift) - 1) >> leafShift * 8 : sectionCount << recordShift * 8
  }
  var presenceBytes: UInt64 { model.canChange ? PresenceBits.wordCount(sectionCount) * 8 : 0 }
  var piecesBytes: UInt64 { UInt64(pieces.count) * PieceTable.pieceWords * 8 }
  var nodesBytes: UInt64 { model == .discontiguous ? UInt64(layout.nodes.count) * PieceTable.nodeWords * 8 : 0 }

  var presenceOffset: UInt64 { whole(sectionsBytes) }
  var piecesOffset: UInt64 { presenceOffset + whole(presenceBytes) }
  var nodesOffset: UInt64 { piecesOffset + whole(piecesBytes) }
  var controlOffset: UInt64 { nodesOffset + whole(nodesBytes) }

  func leavesOffset(_ cpus: UInt64) -> UInt64 { controlOffset + whole(MapControl.bytes + cpus * MapPlan.readerBytes) }

  /// Leaves of a two-level table lie in granules of their own.
  var leafStride: UInt64 { whole(MapPlan.leafBytes) }
  var leafCount: UInt64 { model.hasTwoLevels ? sectionsBytes / 8 : 0 }

  func frameBitsOffset(_ cpus: UInt64) -> UInt64 { leavesOffset(cpus) + leafCount * leafStride }

  func tablesSize(_ cpus: UInt64) -> UInt64 { frameBitsOffset(cpus) + sectionCount << frameBitsShift }

  /// Bytes of tables that exist whatever sections are present.
  var fixedTableBytes: UInt64 { sectionsBytes + presenceBytes + piecesBytes + nodesBytes }

  // MARK: Descriptors

  /// Frames that may ever have a descriptor.
  var describable: FrameRange { model.canChange ? FrameRange(start: .zero, end: layout.limit) : span }

  /// Bytes of descriptors of a section of the scattered models, and of the gap behind it.
  var slotBytes: UInt64 { whole(layout.sectionFrames.rawValue * MapPlan.descriptorBytes) }
  var slotStride: UInt64 { slotBytes + granule }

  /// Bytes of descriptors of a node's span, and the gap behind.
  func nodeBytes(_ node: NodeMemory) -> UInt64 {
    whole((node.span?.count.rawValue ?? 0) * MapPlan.descriptorBytes)
  }

  var memmapSize: UInt64 {
    switch model {
    case .flat: whole(span.count.rawValue * MapPlan.descriptorBytes)
    case .discontiguous: layout.nodes.reduce(0) { $0 + nodeBytes($1) + granule }
    case .sparse, .sparseExtreme: sectionCount * slotStride
    case .vmemmap: whole(layout.limit.rawValue * MapPlan.descriptorBytes)
    }
  }

  /// `bytes` in whole granules.
  func whole(_ bytes: UInt64) -> UInt64 { (bytes + granule - 1) & ~(granule - 1) }
}

/// The smallest power of two that is not below `value`, as its logarithm.
func log2Up(_ value: UInt64) -> UInt64 {
  value <= 1 ? 0 : UInt64(64 - (value - 1).leadingZeroBitCount)
}
