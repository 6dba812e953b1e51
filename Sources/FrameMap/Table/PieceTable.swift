import MemoryUnits

/// The discontiguous model's tables: which frames belong to which node's array, and where the arrays lie. Written once.
///
/// Bytes of both are plain words: a piece is first frame, end, base; a node is address of its array, base. A base is where
/// the descriptor of frame 0 would be.
@usableFromInline @frozen @safe struct PieceTable: Sendable {
  @usableFromInline let pieces: AtomicWords
  @usableFromInline let pieceCount: UInt64
  @usableFromInline let nodes: AtomicWords
  @usableFromInline let nodeCount: UInt64

  @usableFromInline static let pieceWords: UInt64 = 3
  @usableFromInline static let nodeWords: UInt64 = 2

  init(pieces: AtomicWords, pieceCount: UInt64, nodes: AtomicWords, nodeCount: UInt64) {
    self.pieces = pieces
    self.pieceCount = pieceCount
    self.nodes = nodes
    self.nodeCount = nodeCount
  }

  func setPiece(_ index: UInt64, _ range: FrameRange, base: UInt64) {
    pieces.store(index * PieceTable.pieceWords, range.start.rawValue)
    pieces.store(index * PieceTable.pieceWords + 1, range.end.rawValue)
    pieces.store(index * PieceTable.pieceWords + 2, base)
  }

  func setNode(_ index: UInt64, address: UInt64, base: UInt64) {
    nodes.store(index * PieceTable.nodeWords, address)
    nodes.store(index * PieceTable.nodeWords + 1, base)
  }

  @inlinable @inline(__always) func range(_ index: UInt64) -> FrameRange {
    FrameRange(
      start: FrameNumber(pieces.loadRelaxed(index &* PieceTable.pieceWords)),
      end: FrameNumber(pieces.loadRelaxed(index &* PieceTable.pieceWords &+ 1)))
  }

  @inlinable @inline(__always) func base(_ index: UInt64) -> UInt64 { pieces.loadRelaxed(index &* PieceTable.pieceWords &+ 2) }

  /// The index of the first piece that ends above `frame`; `pieceCount` where none does.
  @inlinable @inline(__always) func index(endingAbove frame: FrameNumber) -> UInt64 {
    var low: UInt64 = 0
    var high = pieceCount
    while low < high {
      let middle = low &+ (high &- low) &>> 1
      if pieces.loadRelaxed(middle &* PieceTable.pieceWords &+ 1) > frame.rawValue {
        high = middle
      } else {
        low = middle &+ 1
      }
    }
    return low
  }

  /// The piece that holds `frame`.
  @inlinable @inline(__always) func piece(of frame: FrameNumber) -> (range: FrameRange, base: UInt64)? {
    let index = index(endingAbove: frame)
    guard index < pieceCount else { return nil }
    let range = range(index)
    return range.contains(frame) ? (range, base(index)) : nil
  }

  /// The base of the node whose array holds `address`. Arrays lie in the order of the nodes.
  @usableFromInline func base(ofDescriptorAt address: UInt64) -> UInt64 {
    var low: UInt64 = 0
    var high = nodeCount
    while high &- low > 1 {
      let middle = low &+ (high &- low) &>> 1
      if nodes.loadRelaxed(middle &* PieceTable.nodeWords) <= address { low = middle } else { high = middle }
    }
    return nodes.loadRelaxed(low &* PieceTable.nodeWords &+ 1)
  }
}
