import FrameMap
import MemoryUnits
import PhysicalLayout
import Synchronization

/// What lower zones keep from requests that higher ones could have served.
///
/// Linux: `lowmem_reserve`, `sysctl_lowmem_reserve_ratio`.
@safe struct ZoneReserves: @unchecked Sendable {
  // Unchecked, because of the pointer: all it leads to is atomic.
  /// For each zone a line of words: by the highest kind of zone that a request accepts. Each stands for itself.
  private let words: UnsafeMutablePointer<Atomic<UInt64>>

  /// - Parameter storage: zeroed, for as many zones as are asked for, in place until the last use.
  init(_ storage: UnsafeMutableRawPointer) {
    // Zeroed words are atomics of zero.
    unsafe words = storage.assumingMemoryBound(to: Atomic<UInt64>.self)
  }

  static func storageBytes(zones: Int) -> ByteCount { ByteCount(UInt64(zones * 64)) }

  /// One in so many frames of the higher zones is kept in a zone of the kind; nil for none.
  static func ratio(_ kind: ZoneKind) -> UInt64? {
    switch kind {
    case .dma, .dma32: 256
    case .normal: 32
    case .highMemory, .movable: nil
    }
  }

  // Kinds are fewer than the words of a line.
  func reserve(_ zone: Int, for highest: ZoneKind) -> FrameCount {
    FrameCount(unsafe words[zone * 8 + Int(highest.rawValue)].load(ordering: .relaxed))
  }
  func set(_ zone: Int, for highest: ZoneKind, _ frames: FrameCount) {
    unsafe words[zone * 8 + Int(highest.rawValue)].store(frames.rawValue, ordering: .relaxed)
  }
}

extension ZoneSet {
  /// Sets every zone's watermarks and reserves by what the zones have now. Call it again when that changes.
  ///
  /// Linux: `setup_per_zone_wmarks`, `setup_per_zone_lowmem_reserve`.
  ///
  /// - Parameters:
  ///   - minimum: of the whole machine; nil for ``Watermarks/defaultMinimum(_:_:)``. Linux: `min_free_kbytes`.
  ///   - scale: see ``Watermarks/of(_:minimum:scale:)``.
  public func setWatermarks(minimum: FrameCount, scale: UInt64 = 10) {
    let shares = indices.map {
      Watermarks.Share(managed: self[$0].managed, isForKernel: descriptions[Int($0.rawValue)].kind <= .normal)
    }
    for (index, marks) in zip(indices, Watermarks.of(shares, minimum: minimum, scale: scale)) {
      self[index].setWatermarks(shares[Int(index.rawValue)].managed == .zero ? .none : marks)
    }
    for (number, zone) in descriptions.enumerated() {
      for highest in ZoneKind.allCases {
        var above = FrameCount.zero
        for (other, candidate) in descriptions.enumerated()
        where candidate.node == zone.node && candidate.kind > zone.kind && candidate.kind <= highest {
          above += shares[other].managed
        }
        let kept = shares[number].managed == .zero ? nil : ZoneReserves.ratio(zone.kind)
        reserves.set(number, for: highest, kept.map { FrameCount(above.rawValue / $0) } ?? .zero)
      }
    }
  }

  /// Frames that may be used for what the kernel itself needs. Linux: `nr_free_buffer_pages`.
  public func kernelFrames() -> FrameCount {
    indices.reduce(.zero) { $0 + (descriptions[Int($1.rawValue)].kind <= .normal ? self[$1].managed : .zero) }
  }

  /// What a zone keeps from requests that accept zones up to `highest`.
  public func reserve(of zone: ZoneIndex, for highest: ZoneKind) -> FrameCount {
    precondition(Int(zone.rawValue) < descriptions.count, "no such zone")
    return reserves.reserve(Int(zone.rawValue), for: highest)
  }

  /// Sets what a zone keeps from requests that accept zones up to `highest`, where it is known and not computed.
  ///
  /// Linux: what `sysctl_lowmem_reserve_ratio` comes to.
  public func setReserve(of zone: ZoneIndex, for highest: ZoneKind, _ frames: FrameCount) {
    precondition(Int(zone.rawValue) < descriptions.count, "no such zone")
    reserves.set(Int(zone.rawValue), for: highest, frames)
  }
}
