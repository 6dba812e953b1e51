import MemoryUnits

/// When a map puts a guard behind each array of descriptors, so that a step over a run's end traps.
public enum GuardPolicy: Hashable, Sendable {
  case always, never
  /// In builds with checks on (`DEBUG`).
  case checkedBuilds

  var placesGuards: Bool {
    switch self {
    case .always: true
    case .never: false
    case .checkedBuilds:
      #if DEBUG
        true
      #else
        false
      #endif
    }
  }
}

/// The descriptors of all frames of a machine, in any of five memory models.
///
/// It owns the storage and gives it back when it goes; no thread may use it, a copy of ``table`` or a descriptor then. All
/// look-ups are lock-free and thread-safe while ``add(_:)`` and ``remove(_:)`` run, which exclude each other.
///
/// It is a structure, so that the table's fields are loaded without a further indirection, and it cannot be copied, so that
/// there is one owner. What changes lies in atomic words in its storage.
///
/// Linux: `mm/sparse.c`, `mm/memory_hotplug.c` and the `memory_model.h` of each architecture.
public struct FrameMap<Storage: MemmapStorage>: ~Copyable, Sendable {
  /// Look-ups, for those who need no ownership.
  public let table: FrameTable
  let store: MapStore<Storage>

  /// Lays out descriptors for all memory of `layout`.
  ///
  /// - Parameters:
  ///   - cpuLimit: the first processor index that will never enter a read section.
  ///   - guards: whether a guard follows each array of the scattered and discontiguous models.
  /// - Complexity: O(sections with memory + ranges of memory). Frames that are wholly memory are not visited.
  /// - Throws: ``FrameMapError/storage(_:)``; what was reserved is given back.
  public init(
    _ layout: FrameMapLayout, model: MemoryModel, storage: Storage, cpuLimit: CPUIndex = CPUIndex(1),
    guards: GuardPolicy = .checkedBuilds
  ) throws(FrameMapError) {
    let plan = MapPlan(layout, model, granule: storage.granule)
    let cpus = UInt64(cpuLimit.rawValue)
    let store = try MapStore(plan, storage, cpus: cpus, placesGuards: guards.placesGuards)
    let builder = MapBuilder(plan, store, cpus: cpus)
    do {
      try builder.build()
    } catch {
      store.releaseAll()
      throw error
    }
    table = builder.table
    self.store = store
  }

  deinit { store.releaseAll() }

  public var model: MemoryModel { table.model }

  /// Frames with descriptors that ``isValid(_:)`` tells of.
  public var validFrames: FrameCount { FrameCount(table.control[.validFrames]) }

  /// Frames of memory. Linux: present pages.
  public var memoryFrames: FrameCount { FrameCount(table.control[.memoryFrames]) }

  /// Arrays with a guard behind them, and arrays that the storage had no guard left for.
  public var guards: (placed: UInt64, missing: UInt64) { (table.control[.guards], table.control[.missingGuards]) }

  /// See ``FrameTable/isValid(_:)``.
  @inlinable public func isValid(_ frame: FrameNumber) -> Bool { table.isValid(frame) }

  /// See ``FrameTable/isMemory(_:)``.
  @inlinable public func isMemory(_ frame: FrameNumber) -> Bool { table.isMemory(frame) }

  /// See ``FrameTable/descriptor(_:)``.
  @inlinable public func descriptor(_ frame: FrameNumber) -> DescriptorPointer? { unsafe table.descriptor(frame) }

  /// See ``FrameTable/frame(of:)``.
  @inlinable public func frame(of descriptor: DescriptorPointer) -> FrameNumber { unsafe table.frame(of: descriptor) }

  /// See ``FrameTable/runs(in:)``.
  @inlinable public func runs(in range: FrameRange) -> FrameRuns { table.runs(in: range) }

  /// See ``FrameTable/forEachRun(in:_:)``.
  @inlinable public func forEachRun<Failure>(
    in range: FrameRange, _ body: (FrameRun) throws(Failure) -> Void
  ) throws(Failure) {
    try table.forEachRun(in: range, body)
  }

  /// See ``FrameTable/descriptor(at:from:)``.
  @inlinable public func descriptor(at offset: FrameCount, from head: DescriptorPointer) -> DescriptorPointer? {
    unsafe table.descriptor(at: offset, from: head)
  }

  /// See ``FrameTable/next(after:head:offset:)``.
  @inlinable public func next(
    after current: DescriptorPointer, head: DescriptorPointer, offset: FrameCount
  ) -> DescriptorPointer? {
    unsafe table.next(after: current, head: head, offset: offset)
  }

  /// See ``FrameTable/read(on:_:)``.
  @inlinable public func read<Result: ~Copyable, Failure>(
    on cpu: CPUIndex, _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try table.read(on: cpu, body)
  }
}
