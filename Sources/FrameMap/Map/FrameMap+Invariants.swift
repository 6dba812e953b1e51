import MemoryUnits
import PhysicalLayout

/// What a recount of a frame map found wrong.
public enum FrameMapInconsistency: Error, Hashable, Sendable {
  public enum Total: Hashable, Sendable {
    case sections, validFrames, memoryFrames, leaves, partialSections
  }
  /// A total differs from what was counted.
  case total(Total, recorded: UInt64, counted: UInt64)
  /// The section's entry contradicts itself, or lies about where its descriptors are.
  case entry(SectionNumber)
  /// The entry is present and its bit is not, or the other way round.
  case presence(SectionNumber)
  /// Frames are memory without being valid.
  case memoryWithoutDescriptor(SectionNumber)
  /// The frame's descriptor is another frame's.
  case roundTrip(FrameNumber)
  /// An upper level of the presence bits says other than the level below.
  case presenceLevels
}

extension FrameMap {
  /// Recounts everything from scratch.
  ///
  /// Changes and the check exclude each other's threads; look-ups may go on.
  ///
  /// - Complexity: O(table of sections + sections present).
  public borrowing func checkInvariants() throws(FrameMapInconsistency) {
    let recount = Recount(table)
    try recount.run()
  }

  /// What the map costs now, counted anew.
  ///
  /// After memory was removed, leaves of a two-level table stay and count.
  /// - Complexity: O(runs).
  public borrowing func account() -> MemmapAccount {
    let control = table.control
    var account = MemmapAccount(table.model, sectionFrames: FrameCount(1 << table.sectionOrder))
    let everything = FrameRange(start: .zero, end: FrameNumber(table.firstFrame + table.frameCount))
    var shortest: FrameCount?
    table.forEachRun(in: everything) { run in
      account.runs += RunCount(1)
      account.longestRun = max(account.longestRun, run.frames.count)
      shortest = min(shortest ?? run.frames.count, run.frames.count)
    }
    account.shortestRun = shortest ?? .zero
    let size = MemmapAccount.ownDescriptorSize
    account.memmapBytes = size * control[.describedFrames]
    account.bytesWastedOnHoles = size * (control[.describedFrames] - control[.memoryFrames])
    account.tableBytes = ByteCount(
      store.fixedTableBytes + control[.leaves] * MapPlan.leafBytes + control[.partialSections] << store.frameBitsShift)
    account.sections = RunCount(table.model.canChange ? control[.sections] : Recount(table).sectionsWithMemory)
    return account
  }
}

/// Counts a table from scratch.
private struct Recount {
  let table: FrameTable

  init(_ table: FrameTable) { self.table = table }

  func run() throws(FrameMapInconsistency) {
    var sections: UInt64 = 0
    var valid: UInt64 = 0
    var memory: UInt64 = 0
    var partial: UInt64 = 0
    for section in 0..<table.presence.count {
      guard let record = table.record(section) else {
        guard table.presence.contains(section) else { continue }
        throw .presence(SectionNumber(section))
      }
      let state = record.load(0)
      guard state != 0 || table.model.canChange && table.presence.contains(section) else { continue }
      let validHere = try check(record, state, section)
      let memoryHere = memoryFrames(state, section)
      guard !table.model.canChange || memoryHere <= validHere else {
        throw .memoryWithoutDescriptor(SectionNumber(section))
      }
      sections += 1
      valid += validHere
      memory += memoryHere
      if state & SectionState.hasFrameBits != 0 { partial += 1 }
    }
    if !table.model.canChange {
      valid = 0
      table.forEachRun(in: FrameRange(start: .zero, end: FrameNumber(table.firstFrame + table.frameCount))) {
        valid += $0.frames.count.rawValue
      }
    } else {
      try compare(.sections, .sections, sections)
      guard table.presence.hasConsistentLevels else { throw .presenceLevels }
    }
    try compare(.validFrames, .validFrames, valid)
    try compare(.memoryFrames, .memoryFrames, memory)
    try compare(.partialSections, .partialSections, partial)
    try compare(.leaves, .leaves, leaves)
    try checkRoundTrips()
  }

  private func compare(
    _ counter: MapControl.Counter, _ total: FrameMapInconsistency.Total, _ counted: UInt64
  ) throws(FrameMapInconsistency) {
    let recorded = table.control[counter]
    guard recorded == counted else { throw .total(total, recorded: recorded, counted: counted) }
  }

  /// Checks an entry; returns its valid frames.
  private func check(
    _ record: AtomicWords, _ state: UInt64, _ section: UInt64
  ) throws(FrameMapInconsistency) -> UInt64 {
    let number = SectionNumber(section)
    let marks = state & (SectionState.isWhole | SectionState.hasFrameBits)
    guard marks != SectionState.isWhole | SectionState.hasFrameBits else { throw .entry(number) }
    let all = UInt64(1) << table.sectionOrder
    guard table.model.canChange else { return all }
    let isPresent = state & SectionState.present != 0
    guard isPresent == table.presence.contains(section) else { throw .presence(number) }
    guard isPresent, marks != 0, state & SectionState.baseMask == table.base(of: section) else { throw .entry(number) }
    guard table.model == .vmemmap else { return all }

    let bits = record.advanced(by: 1)
    let count = UInt64(1) << (table.sectionOrder - table.subsectionOrder)
    let valid = bits.countBits(0..<count)
    guard valid > 0, valid == count || marks == SectionState.hasFrameBits else { throw .entry(number) }
    for subsection in 0..<count where bits.load(subsection >> 6) >> (subsection & 63) & 1 == 0 {
      let frames = subsection << table.subsectionOrder..<(subsection + 1) << table.subsectionOrder
      guard table.frameBits(of: section).countBits(frames) == 0 else { throw .memoryWithoutDescriptor(number) }
    }
    return valid << table.subsectionOrder
  }

  private func memoryFrames(_ state: UInt64, _ section: UInt64) -> UInt64 {
    let all = UInt64(1) << table.sectionOrder
    if state & SectionState.isWhole != 0 { return all }
    return state & SectionState.hasFrameBits != 0 ? table.frameBits(of: section).countBits(0..<all) : 0
  }

  private var leaves: UInt64 {
    guard table.model.hasTwoLevels else { return 0 }
    var count: UInt64 = 0
    for leaf in 0..<(table.presence.count + (1 << table.leafShift) - 1) >> table.leafShift
    where table.sections.load(leaf) != 0 {
      count += 1
    }
    return count
  }

  var sectionsWithMemory: UInt64 {
    var count: UInt64 = 0
    for section in 0..<table.presence.count where table.record(section).map({ $0.load(0) != 0 }) == true { count += 1 }
    return count
  }

  /// Both ends of each run name their own frames.
  private func checkRoundTrips() throws(FrameMapInconsistency) {
    let everything = FrameRange(start: .zero, end: FrameNumber(table.firstFrame + table.frameCount))
    try table.forEachRun(in: everything) { run throws(FrameMapInconsistency) in
      let last = run.frames.end - FrameCount(1)
      for frame in [run.frames.start, last] {
        // A run's own descriptors are as good as the map.
        guard unsafe table.frame(of: run[frame]) == frame, unsafe table.descriptor(frame) == run[frame] else {
          throw .roundTrip(frame)
        }
      }
    }
  }
}

extension PresenceBits {
  /// Whether each upper bit says what the word below it holds.
  fileprivate var hasConsistentLevels: Bool {
    var bits = count
    var base: UInt64 = 0
    while true {
      let below = (bits + 63) / 64
      if below <= 1 { return true }
      for word in 0..<below {
        let bit = words.load(base + below + word >> 6) >> (word & 63) & 1
        if (bit != 0) != (words.load(base + word) != 0) { return false }
      }
      base += below
      bits = below
    }
  }
}
