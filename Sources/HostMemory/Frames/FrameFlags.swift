/// The flags of one frame as `/proc/kpageflags` gives them.
///
/// Linux: `KPF_*` in `include/uapi/linux/kernel-page-flags.h`; bits from 32 up are not part of the stable interface, and
/// of those only RESERVED is read here.
public struct FrameFlags: OptionSet, Hashable, Sendable {
  public let rawValue: UInt64
  @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }

  public static let locked = FrameFlags(rawValue: 1 << 0)
  public static let referenced = FrameFlags(rawValue: 1 << 2)
  public static let upToDate = FrameFlags(rawValue: 1 << 3)
  public static let dirty = FrameFlags(rawValue: 1 << 4)
  public static let onLRU = FrameFlags(rawValue: 1 << 5)
  public static let active = FrameFlags(rawValue: 1 << 6)
  public static let slab = FrameFlags(rawValue: 1 << 7)
  public static let writeback = FrameFlags(rawValue: 1 << 8)
  public static let reclaim = FrameFlags(rawValue: 1 << 9)
  /// Free. Before Linux 4.10 or so only the first frame of a free block carries it.
  public static let buddy = FrameFlags(rawValue: 1 << 10)
  public static let mapped = FrameFlags(rawValue: 1 << 11)
  public static let anonymous = FrameFlags(rawValue: 1 << 12)
  public static let swapBacked = FrameFlags(rawValue: 1 << 14)
  public static let head = FrameFlags(rawValue: 1 << 15)
  public static let tail = FrameFlags(rawValue: 1 << 16)
  /// Of a huge-page pool, whatever the size.
  public static let huge = FrameFlags(rawValue: 1 << 17)
  public static let unevictable = FrameFlags(rawValue: 1 << 18)
  public static let poisoned = FrameFlags(rawValue: 1 << 19)
  public static let noPage = FrameFlags(rawValue: 1 << 20)
  /// Of a large folio of any size, not only of one that a huge entry maps.
  public static let largeFolio = FrameFlags(rawValue: 1 << 22)
  /// Taken out of use while its block is online: a balloon, unplugged virtual memory.
  public static let offline = FrameFlags(rawValue: 1 << 23)
  public static let idle = FrameFlags(rawValue: 1 << 25)
  public static let pageTable = FrameFlags(rawValue: 1 << 26)
  public static let reserved = FrameFlags(rawValue: 1 << 32)

  /// The flags that a verdict can depend on; captures keep these only, which makes their runs long.
  private static let decisive: FrameFlags = [
    .dirty, .onLRU, .slab, .mapped, .anonymous, .swapBacked, .head, .tail, .huge, .unevictable, .poisoned, .noPage,
    .largeFolio, .offline, .pageTable, .reserved, .writeback,
  ]

  /// The same frame without what no verdict depends on.
  var canonical: FrameFlags {
    if contains(.buddy) { return .buddy }
    let kept = intersection(Self.decisive)
    // Only frames on no list need it, to be told from the kernel's own.
    return kept.contains(.onLRU) ? kept : kept.union(intersection(.upToDate))
  }
}
