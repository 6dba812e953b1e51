public import MemoryUnits

/// Something that keeps a range from being emptied.
public enum Obstacle: UInt8, CaseIterable, Hashable, Sendable, CustomStringConvertible {
  /// No memory.
  case hole
  /// Another zone's or node's frame, or none's.
  case border
  /// Kept since boot, or claimed by somebody for good.
  case reserved
  /// Descriptors.
  case memmap
  case pageTable
  /// The kernel's own, that can be neither moved nor dropped.
  case unmovable
  /// The kernel's own, that could be dropped by who owns it; it cannot be moved.
  case reclaimable
  /// A page of a huge pool, where the policy leaves these alone, or where it is larger than what is wanted.
  case hugePage
  case device
  /// Somebody else isolated the frame.
  case isolated
  /// Of a contiguous area, which is not for such requests.
  case contiguousArea
  /// Movable, and referenced by others than its owner each time it was tried.
  case busy
  /// Movable, and nobody's whom the mover knows.
  case notOwned
  /// Movable, and there is no place to move it to.
  case noRoom

  public var description: String {
    switch self {
    case .hole: "hole"
    case .border: "border"
    case .reserved: "reserved"
    case .memmap: "memmap"
    case .pageTable: "page table"
    case .unmovable: "unmovable"
    case .reclaimable: "reclaimable"
    case .hugePage: "huge page"
    case .device: "device"
    case .isolated: "isolated"
    case .contiguousArea: "contiguous area"
    case .busy: "busy"
    case .notOwned: "not owned"
    case .noRoom: "no room"
    }
  }
}

/// What stands in the way in a range: frames by kind, and the first of them.
public struct Obstacles: Hashable, Sendable {
  public struct First: Hashable, Sendable {
    public let frame: FrameNumber
    public let kind: Obstacle
  }

  /// The lowest frame that stands in the way; nil where nothing does.
  public private(set) var first: First?
  private var counts: [FrameCount]

  public init() { counts = [FrameCount](repeating: .zero, count: Obstacle.allCases.count) }

  /// Frames of that kind.
  public subscript(_ kind: Obstacle) -> FrameCount { counts[Int(kind.rawValue)] }

  public var total: FrameCount { counts.reduce(.zero) { $0 + $1 } }
  public var isEmpty: Bool { first == nil }

  public mutating func add(_ kind: Obstacle, _ frames: FrameRange) { add(kind, frames.count, first: frames.start) }

  /// Adds frames of which only the first one's place is known.
  public mutating func add(_ kind: Obstacle, _ count: FrameCount, first frame: FrameNumber) {
    guard count > .zero else { return }
    counts[Int(kind.rawValue)] += count
    if first.map({ frame < $0.frame }) ?? true { first = First(frame: frame, kind: kind) }
  }

  public mutating func add(_ others: Obstacles) {
    for kind in Obstacle.allCases { counts[Int(kind.rawValue)] += others[kind] }
    if let theirs = others.first, first.map({ theirs.frame < $0.frame }) ?? true { first = theirs }
  }
}
