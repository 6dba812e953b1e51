import MemoryUnits
import Mobility

/// What the kernel's own allocation would meet in a range.
public enum Verdict: String, Codable, Sendable, CaseIterable {
  /// Already a pool page of the size asked for.
  case held
  case free
  /// Some frames must move first, and there is room for them.
  case movable
  case blocked
  /// Never tried: no memory, a border, a zone that the kernel does not use for this size.
  case excluded
}

extension Verdict {
  init(_ kind: RangeOutcome.Kind) {
    switch kind {
    case .held: self = .held
    case .free: self = .free
    case .movable: self = .movable
    case .blocked: self = .blocked
    case .excluded: self = .excluded
    }
  }
}

/// How well the data support a verdict.
public enum Certainty: String, Codable, Sendable, CaseIterable {
  case certain, likely, unknown
}

/// Something that keeps a range from becoming a page. Names are part of the JSON shapes.
public enum Reason: String, Codable, Sendable, CaseIterable {
  case slab, pageTables, reserved, kernel
  /// Frames without flags that the kernel may own.
  case unknown
  /// Frames on their way to the lists of movable pages.
  case unsettled
  case smallerHugePages, largerHugePage
  /// Held by a hypervisor, or in a block that is not online.
  case offline
  case poisoned
  /// Memory that the kernel has not yet handed to its allocator.
  case deferred
  /// Movable frames with no room to move to.
  case noRoom
  case hole
  /// Frames of more than one zone or node.
  case border
  /// In a zone that the kernel does not search for this size.
  case zone
}

/// What would make a blocked range obtainable. Names are part of the JSON shapes.
public enum Remedy: String, Codable, Sendable, CaseIterable {
  /// Settles frames that are between lists.
  case compact
  /// Makes the kernel hand over deferred memory.
  case touch
  case shrinkPool
  case dropCaches
  /// Bring a block online, or take memory back from the balloon.
  case online
  /// Move or end a process, or free memory.
  case moveProcess
  case nextBoot

  /// What the operator does, in a few words.
  public var advice: String {
    switch self {
    case .compact: "compact memory"
    case .touch: "touch deferred memory once"
    case .shrinkPool: "shrink another pool"
    case .dropCaches: "drop caches"
    case .online: "bring memory online"
    case .moveProcess: "move or end a process"
    case .nextBoot: "reserve at the next boot"
    }
  }
}

/// The verdict on one naturally aligned range.
public struct RangeVerdict: Sendable {
  public let range: FrameRange
  /// Index into the survey's zones; nil where the range lies in none or several.
  public let zone: Int?
  public var verdict: Verdict
  public var certainty: Certainty
  /// Frames by reason; a border is told with the whole range.
  public var reasons: [Reason: FrameCount]
  /// The first frame that stands in the way of a blocked range.
  public internal(set) var firstBlocking: FrameNumber?
  let firstToMove: FrameNumber?
  public let free: FrameCount
  /// Frames that must be moved or dropped first.
  public let toMove: FrameCount
  /// Of `toMove`, what is dropped and needs no room.
  let droppable: FrameCount
  /// The hardest first.
  public internal(set) var remedies: [Remedy]
  /// Blocked by nothing but frames between lists, which the kernel settles as soon as it takes any other range.
  let isOnlyUnsettled: Bool

  var isOnlyDeferred: Bool { reasons.count == 1 && reasons[.deferred] != nil }
}
