import MemoryUnits

/// Which frames stand behind which addresses of a reservation: pieces in ascending order, each a stretch of addresses with a
/// stretch of frames behind it.
struct LentPieces {
  struct Piece {
    let address: UInt64
    let frames: PhysicalRange
    var end: UInt64 { address + frames.count.rawValue }
  }

  private var pieces: [Piece] = []

  /// The index of the first piece that ends above `address`.
  private func position(of address: UInt64) -> Int {
    var low = 0
    var high = pieces.count
    while low < high {
      let middle = (low + high) / 2
      if pieces[middle].end <= address { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// Enters pieces that follow one another from `address` on, where nothing is.
  mutating func insert(_ frames: [PhysicalRange], at address: UInt64) {
    var place = address
    let added = frames.map { range in
      defer { place += range.count.rawValue }
      return Piece(address: place, frames: range)
    }
    let index = position(of: address)
    precondition(index == pieces.count || pieces[index].address >= place, "a part of a reservation was committed twice")
    pieces.insert(contentsOf: added, at: index)
  }

  /// Takes all out that stands behind `addresses`, and cuts what reaches over their ends.
  mutating func remove(_ addresses: Range<UInt64>) -> [PhysicalRange] {
    var removed: [PhysicalRange] = []
    var kept: [Piece] = []
    let first = position(of: addresses.lowerBound)
    var index = first
    while index < pieces.count, pieces[index].address < addresses.upperBound {
      let piece = pieces[index]
      let low = max(piece.address, addresses.lowerBound)
      let high = min(piece.end, addresses.upperBound)
      removed.append(piece.part(low..<high))
      if piece.address < low { kept.append(Piece(address: piece.address, frames: piece.part(piece.address..<low))) }
      if high < piece.end { kept.append(Piece(address: high, frames: piece.part(high..<piece.end))) }
      index += 1
    }
    pieces.replaceSubrange(first..<index, with: kept)
    return removed
  }
}

extension LentPieces.Piece {
  fileprivate func part(_ addresses: Range<UInt64>) -> PhysicalRange {
    PhysicalRange(
      start: frames.start + ByteCount(addresses.lowerBound - address), count: ByteCount(UInt64(addresses.count)))
  }
}
