/// What a frame is to somebody who wants the range around it.
public enum FrameClass: UInt8, CaseIterable, Sendable {
  /// In the free lists.
  case free
  /// No flags, right behind a free block's first frame: free on kernels that flag only that first one.
  case freeTail
  /// No flags at all: on a per-CPU list, or the kernel's, or not yet handed over. Flags alone cannot tell.
  case undecided
  /// No flags over a whole section: as `undecided`, and suspect of not having been handed over yet.
  case emptySection
  /// Can be moved; needs a free frame elsewhere.
  case migratable
  /// Unmodified file cache: can simply be dropped.
  case droppable
  /// On its way to or from the lists of movable pages; for now the kernel treats it as its own.
  case unsettled
  case slab
  case pageTable
  case reserved
  /// The kernel's own otherwise.
  case kernel
  case huge
  /// Given to a hypervisor or not plugged.
  case offline
  case poisoned
  /// No memory, or no descriptor.
  case absent

  /// The number of classes fits the 16 lanes of ``ClassCounts``.
  static let laneCount = 16

  /// Whether a frame of this class stops the kernel's contiguous allocation whatever stands around it.
  var isEvidenceOfUnmovable: Bool {
    switch self {
    case .slab, .pageTable, .reserved, .kernel, .poisoned, .offline: true
    default: false
    }
  }
}

/// Frames by class. Sums cannot overflow: no host has 2^64 frames.
struct ClassCounts: Equatable, Sendable {
  private var lanes = SIMD16<UInt64>()

  subscript(_ kind: FrameClass) -> UInt64 { lanes[Int(kind.rawValue)] }

  mutating func add(_ count: UInt64, _ kind: FrameClass) { lanes[Int(kind.rawValue)] &+= count }

  mutating func add(_ other: ClassCounts) { lanes &+= other.lanes }

  /// A bit per class that has any frames.
  var presence: UInt16 { Self.bits(lanes .> SIMD16()) }

  /// A bit per class that has more frames here than in `part`.
  func presence(beyond part: ClassCounts) -> UInt16 { Self.bits(lanes .> part.lanes) }

  private static func bits(_ mask: SIMDMask<SIMD16<Int64>>) -> UInt16 {
    (0..<FrameClass.laneCount).reduce(0) { mask[$1] ? $0 | 1 << UInt16($1) : $0 }
  }

  func sum(_ kinds: FrameClass...) -> UInt64 { kinds.reduce(0) { $0 + self[$1] } }
}
