import MemoryUnits

/// What a memory model costs for a layout, exact to the byte.
public struct MemmapAccount: Hashable, Sendable {
  public let model: MemoryModel
  /// Bytes of all descriptors.
  public internal(set) var memmapBytes: ByteCount
  /// Bytes of the tables with which this package finds descriptors and tells memory from holes.
  public internal(set) var tableBytes: ByteCount
  /// Bytes of descriptors of frames that are not memory.
  public internal(set) var bytesWastedOnHoles: ByteCount
  /// The longest range of valid frames whose descriptors are contiguous.
  public internal(set) var longestRun: FrameCount
  /// The shortest such range.
  public internal(set) var shortestRun: FrameCount
  /// Runs over the whole machine.
  public internal(set) var runs: RunCount
  /// Sections with descriptors; those with memory where the model has no sections.
  public internal(set) var sections: RunCount
  /// The largest order whose naturally aligned blocks, where they are valid and belong to one node, always have contiguous
  /// descriptors. Nil where every order does.
  public let contiguousOrder: Order?

  /// Whether the descriptors of a page of `order` are contiguous wherever in memory it lies.
  public func isContiguous(_ order: Order) -> Bool { contiguousOrder.map { order <= $0 } ?? true }
}

/// An amount of runs or sections.
@frozen public struct RunCount: Amount {
  public let rawValue: UInt64
  @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }
  public var description: String { String(rawValue) }
}

extension MemmapAccount {
  /// Computes the account without building a map.
  ///
  /// - Parameters:
  ///   - descriptorSize: of the kernel to predict; ``ownDescriptorSize`` for a ``FrameMap``.
  ///   - granule: of the storage, which tables of parts of sections are rounded up to.
  /// - Complexity: O(n log n) for n ranges of memory, whatever their size.
  public init(
    _ layout: FrameMapLayout, model: MemoryModel, descriptorSize: ByteCount = MemmapAccount.ownDescriptorSize,
    granule: ByteCount = .kibibytes(4)
  ) {
    self.init(MapPlan(layout, model, granule: granule), descriptorSize)
  }

  /// Bytes of a ``FrameDescriptor``.
  public static let ownDescriptorSize = ByteCount(MapPlan.descriptorBytes)

  /// An account with nothing in it yet.
  init(_ model: MemoryModel, sectionFrames: FrameCount) {
    self.model = model
    memmapBytes = .zero
    tableBytes = .zero
    bytesWastedOnHoles = .zero
    longestRun = .zero
    shortestRun = .zero
    runs = .zero
    sections = .zero
    contiguousOrder = model.isScattered ? Order(exactly: sectionFrames) : nil
  }

  init(_ plan: MapPlan, _ descriptorSize: ByteCount) {
    let layout = plan.layout
    let memory = layout.memory
    let sections = memory.joined(alignedTo: layout.sectionFrames)
    let sectionCount = sections.total / layout.sectionFrames

    var runs: [FrameCount]
    var described: FrameCount
    switch plan.model {
    case .flat: runs = [plan.span.count]
    case .discontiguous: runs = plan.pieces.map { $0.range.count }
    case .sparse, .sparseExtreme: runs = [layout.sectionFrames]
    case .vmemmap: runs = memory.joined(alignedTo: layout.subsectionFrames).map { $0.count }
    }
    described = runs.reduce(.zero, +)
    // A node has descriptors for its whole span, also where another node's memory lies within.
    if plan.model == .discontiguous { described = layout.nodes.reduce(.zero) { $0 + ($1.span?.count ?? .zero) } }
    if plan.model.isScattered { described = layout.sectionFrames * sectionCount }

    var tables = plan.fixedTableBytes + layout.partialSections(memory) << plan.frameBitsShift
    if plan.model.hasTwoLevels {
      let leafFrames = FrameCount(layout.sectionFrames.rawValue << plan.leafShift)
      tables += memory.joined(alignedTo: leafFrames).total / leafFrames * MapPlan.leafBytes
    }

    self.init(plan.model, sectionFrames: layout.sectionFrames)
    memmapBytes = descriptorSize * described.rawValue
    tableBytes = ByteCount(tables)
    bytesWastedOnHoles = descriptorSize * (described - memory.total).rawValue
    longestRun = runs.max() ?? .zero
    shortestRun = runs.min() ?? .zero
    self.runs = RunCount(plan.model.isScattered ? sectionCount : UInt64(runs.count))
    self.sections = RunCount(sectionCount)
  }
}

extension FrameMapLayout {
  /// Sections of which some frames are memory and some are not. `memory` is joined and rising.
  fileprivate func partialSections(_ memory: [FrameRange]) -> UInt64 {
    var count: UInt64 = 0
    var last: FrameNumber?
    for range in memory {
      let edges = [range.start, range.end].filter { !$0.isAligned(to: sectionFrames) }
      for edge in edges {
        // An edge that is not aligned lies inside a section, which neighbouring ranges may share.
        let section = edge.aligned(to: sectionFrames, .down)
        if section != last { count += 1 }
        last = section
      }
    }
    return count
  }
}
