public import MemoryUnits

/// How many free frames a zone keeps back, and from whom.
///
/// Linux: `enum zone_watermarks`.
public struct Watermarks: Hashable, Sendable {
  /// Below it, only urgent requests are served.
  public var min: FrameCount
  /// Below it, other zones are tried first, and somebody should reclaim.
  public var low: FrameCount
  /// Where reclaim may stop.
  public var high: FrameCount

  public init(min: FrameCount, low: FrameCount, high: FrameCount) {
    self.min = min
    self.low = low
    self.high = high
  }

  /// Nothing is kept back.
  public static var none: Watermarks { Watermarks(min: .zero, low: .zero, high: .zero) }

  /// A zone of those that share a machine's minimum.
  public struct Share: Hashable, Sendable {
    /// Frames that the allocator has of the zone. Linux: `managed_pages`.
    public var managed: FrameCount
    /// Whether the zone counts for the machine's minimum: the kernel's own requests can use it. High memory and movable zones
    /// keep only a token.
    public var isForKernel: Bool

    public init(managed: FrameCount, isForKernel: Bool) {
      self.managed = managed
      self.isForKernel = isForKernel
    }
  }

  /// The marks of all zones of a machine, in their order.
  ///
  /// `min` is the zone's share of `minimum`, by its part of all frames for the kernel; `low` and `high` lie a quarter of it, or
  /// `scale` in 10,000 of the zone, whichever is more, apart.
  ///
  /// Linux: `__setup_per_zone_wmarks`.
  ///
  /// - Parameters:
  ///   - minimum: `min_free_kbytes` as frames.
  ///   - scale: `watermark_scale_factor`.
  public static func of(_ zones: [Share], minimum: FrameCount, scale: UInt64 = 10) -> [Watermarks] {
    var shared: UInt64 = 0
    for zone in zones where zone.isForKernel { shared += zone.managed.rawValue }
    return zones.map { zone in
      let managed = zone.managed.rawValue
      let part = multiplied(minimum.rawValue, managed, dividedBy: Swift.max(shared, 1))
      let min = zone.isForKernel ? part : Swift.min(Swift.max(managed / 1024, 32), 128)
      let gap = Swift.max(part / 4, multiplied(managed, scale, dividedBy: 10_000))
      return Watermarks(
        min: FrameCount(min), low: FrameCount(min + gap), high: FrameCount(min + 2 * gap))
    }
  }

  /// The minimum of a machine whose kernel zones have `frames` frames: it grows with the root of the memory, between 128 KiB and
  /// 256 MiB.
  ///
  /// Linux: `calculate_min_free_kbytes`.
  public static func defaultMinimum(_ frames: FrameCount, _ shift: PageShift) -> FrameCount {
    let kibibytes = ByteCount(frames, shift).rawValue >> 10
    let wanted = Swift.min(Swift.max(root(kibibytes * 16), 128), 262_144)
    return FrameCount(ByteCount.kibibytes(wanted), shift, rounded: .down)
  }

  /// The minimum with which a kernel that hands out huge pages by itself keeps pageblocks of every mobility apart: some whole
  /// pageblocks a zone, but no more than a twentieth of the frames.
  ///
  /// Linux: `set_recommended_min_free_kbytes`, which applies where it is more than the default.
  ///
  /// - Parameters:
  ///   - zones: those with frames that the kernel itself can use.
  ///   - frames: of these zones.
  public static func minimumForHugePages(zones: ZoneCount, pageblock: Order, frames: FrameCount) -> FrameCount {
    // Two for the requests of a zone, and one for each pair of the three mobilities that fall back to each other.
    let wanted = pageblock.frames * zones.rawValue * (2 + 9)
    return Swift.min(wanted, FrameCount(frames.rawValue / 20))
  }

  private static func multiplied(_ left: UInt64, _ right: UInt64, dividedBy divisor: UInt64) -> UInt64 {
    let product = left.multipliedFullWidth(by: right)
    // Both factors are below 2^62 and the quotient is at most the larger one's share of 10,000 or of a sum.
    return divisor.dividingFullWidth((high: product.high, low: product.low)).quotient
  }

  /// The whole part of the square root.
  private static func root(_ value: UInt64) -> UInt64 {
    var root: UInt64 = 0
    var bit = UInt64(1) << 31
    while bit > 0 {
      let tried = root | bit
      if tried * tried <= value { root = tried }
      bit >>= 1
    }
    return root
  }
}

/// How much of what a zone keeps back a request may use.
///
/// Linux: `__GFP_HIGH`, `__GFP_MEMALLOC` and what follows from them.
public enum Urgency: UInt8, CaseIterable, Hashable, Sendable {
  /// Stops at the minimum.
  case ordinary
  /// Cannot wait: may use half of the minimum, and a quarter of the rest.
  case atomic
  /// Frees more than it takes: may use everything.
  case emergency

  /// What has to stay free of a mark for such a request.
  func reduced(_ mark: FrameCount) -> FrameCount {
    switch self {
    case .ordinary: return mark
    case .atomic:
      let half = mark - FrameCount(mark.rawValue / 2)
      return half - FrameCount(half.rawValue / 4)
    case .emergency: return .zero
    }
  }
}

/// An amount of zones.
@frozen public struct ZoneCount: Amount {
  public let rawValue: UInt64
  @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }
  public var description: String { String(rawValue) }
}
