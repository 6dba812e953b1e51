import MemoryUnits

/// Which part of a tree a search may take from.
///
/// A search goes down through children of which it may take `some`, and takes children, or frames of a leaf, that are `usable`
/// whole. What a filter says may change at any time; a search then finds what was so at some moment of it.
@usableFromInline protocol TreeFilter {
  /// Level 0: the frames of the word that may be taken. Above: the children all of whose frames may be.
  func usable(_ node: TreeNode, _ word: Int) -> UInt64
  /// Of a node above the leaves: the children of which anything may be taken.
  func some(_ node: TreeNode, _ word: Int) -> UInt64
  /// Whether everything below the node may be taken: only then may a search note that it found nothing there.
  func isEverything(below node: TreeNode) -> Bool
  /// Where nodes of leaves note what searches with such a filter did not find, of four places; nil for filters that are not asked often.
  /// Whoever changes what the filter says of a node has its notes forgotten afterwards.
  var slot: Int? { get }
}

/// A search without bounds: what the tree's own requests use.
@frozen @usableFromInline struct Everywhere: TreeFilter {
  @inlinable init() {}
  @inlinable @inline(__always) func usable(_ node: TreeNode, _ word: Int) -> UInt64 { ~0 }
  @inlinable @inline(__always) func some(_ node: TreeNode, _ word: Int) -> UInt64 { ~0 }
  @inlinable @inline(__always) func isEverything(below node: TreeNode) -> Bool { true }
  @inlinable static var place: Int { 3 }
  @inlinable var slot: Int? { Everywhere.place }
}

/// A search inside a range of frames.
struct Inside: TreeFilter {
  let range: FrameRange

  /// The bits of the word whose children lie wholly inside (`.down`), or touch the range (`.up`).
  private func bits(_ node: TreeNode, _ word: Int, rounded direction: Rounding) -> UInt64 {
    let shift = UInt64(9 * node.level)
    let mask = (UInt64(1) << shift) - 1
    let base = (node.number << 9 | UInt64(word << 6)) << shift
    let low = range.start.rawValue > base ? range.start.rawValue - base : 0
    let high = range.end.rawValue > base ? range.end.rawValue - base : 0
    let first = min(64, direction == .down ? (low + mask) >> shift : low >> shift)
    let end = min(64, direction == .down ? high >> shift : (high + mask) >> shift)
    guard first < end else { return 0 }
    return (~0 >> (64 - (end - first))) << first
  }

  func usable(_ node: TreeNode, _ word: Int) -> UInt64 { bits(node, word, rounded: .down) }
  func some(_ node: TreeNode, _ word: Int) -> UInt64 { bits(node, word, rounded: .up) }
  func isEverything(below node: TreeNode) -> Bool { false }
  var slot: Int? { nil }
}
