import MemoryUnits

extension Architecture {
  /// The unit of online and offline on a machine whose memory ends at `endOfMemory`.
  ///
  /// Small machines use the smallest. From 64 GiB on fewer, larger blocks are wanted: bare metal takes the largest, a
  /// virtual machine the largest that divides the end of memory, as its memory may grow there. Other architectures than
  /// x86 use the smallest always.
  ///
  /// Linux: `probe_memory_block_size`.
  public func memoryBlockSize(endOfMemory: PhysicalAddress, isVirtual: Bool) -> ByteCount {
    guard endOfMemory >= PhysicalAddress(64 << 30), smallestMemoryBlock < largestMemoryBlock, hasLegacyBIOSArea else {
      return smallestMemoryBlock
    }
    guard isVirtual else { return largestMemoryBlock }
    var size = largestMemoryBlock
    while size > smallestMemoryBlock, !endOfMemory.isAligned(to: size) { size = ByteCount(size.rawValue / 2) }
    return size
  }
}

extension BootLayout {
  /// What lies before, between and not after `memory`.
  static func holes(between memory: [FrameRange]) -> [FrameRange] {
    var holes: [FrameRange] = []
    var place = FrameNumber.zero
    for range in memory {
      if place < range.start { holes.append(FrameRange(start: place, end: range.start)) }
      place = range.end
    }
    return holes
  }

  /// Sections that `memory` touches, as runs.
  static func units(of size: FrameCount, touchedBy memory: [FrameRange]) -> [SectionRange] {
    var runs: [SectionRange] = []
    for range in memory where !range.isEmpty {
      let first = SectionNumber(range.start.rawValue / size.rawValue)
      let end = SectionNumber((range.end.rawValue - 1) / size.rawValue + 1)
      runs.appendJoining(SectionRange(start: first, end: end))
    }
    return runs
  }

  /// Memory blocks with at least one of `sections`, as runs.
  static func blocks(of size: SectionCount, holding sections: [SectionRange]) -> [MemoryBlockRange] {
    var runs: [MemoryBlockRange] = []
    for range in sections {
      let first = MemoryBlockNumber(range.start.rawValue / size.rawValue)
      let end = MemoryBlockNumber((range.end.rawValue - 1) / size.rawValue + 1)
      runs.appendJoining(MemoryBlockRange(start: first, end: end))
    }
    return runs
  }
}

extension Array {
  /// Appends a run that starts at or after the last one's start; touching or overlapping runs become one.
  fileprivate mutating func appendJoining<Bound>(_ run: UnitRange<Bound>) where Element == UnitRange<Bound> {
    guard let last, run.start <= last.end else { return append(run) }
    self[count - 1] = UnitRange(start: last.start, end: Swift.max(last.end, run.end))
  }
}
