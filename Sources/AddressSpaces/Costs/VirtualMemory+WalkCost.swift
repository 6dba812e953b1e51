import FrameAllocator
public import MemoryUnits

extension VirtualMemory {
  /// What it costs to translate addresses of a range, as far as it is mapped now: pages that nobody touched yet are not.
  ///
  /// A page on its way to other frames counts as mapped. Traps where the space was destroyed.
  ///
  /// - Parameters:
  ///   - range: taken to whole base pages around it. Of a page that lies partly inside, only the base pages inside count, and its
  ///     entry of a translation buffer counts whole.
  ///   - host: what translates the machine's own addresses, where it is a guest.
  /// - Complexity: O(entries in use in the range * levels), under the lock of the space.
  public func walkCost(_ range: VirtualRange, in space: AddressSpace, host: HostWalk = .native) -> MappedCost {
    let base = shape.baseShift.bytes
    let all = VirtualRange(start: VirtualAddress(0), end: shape.end)
    let range = range.intersection(all).aligned(to: base, .up)
    var cost = MappedCost(shape, host)
    // The run whose entries come one after the other.
    var run: VirtualAddress?
    space.state.withLock { state in
      precondition(!state.isDestroyed, "a space that was destroyed")
      walk.forEachLeaf(space.root, in: range, unit: base) { place, entry in
        guard entry.isLeaf || entry.isMoving else { return }
        let number = number(at: place.level, inRun: entry.has(.inRun))
        let leaf = cost.parts[number].leaf
        let touched = VirtualRange(start: place.address, count: shape.span(place.level)).intersection(range)
        cost.parts[number].frames += FrameCount(touched.count / base)
        // A buffer keeps the whole translation, which is as large as the smaller of the two pages. Both are aligned alike.
        let piece = min(leaf.size, host.pageSize ?? leaf.size).bytes
        let pieces = touched.aligned(to: piece, .up)
        if piece > shape.span(place.level) {
          guard pieces.start != run else { return }
          run = pieces.start
        }
        cost.parts[number].buffered += EntryCount(pieces.count / piece)
      }
    }
    return cost
  }

  /// The same for all that a space maps.
  ///
  /// - Complexity: O((entries in use + tables' gaps) * levels).
  public func walkCost(of space: AddressSpace, host: HostWalk = .native) -> MappedCost {
    walkCost(VirtualRange(start: VirtualAddress(0), end: shape.end), in: space, host: host)
  }

  /// Which of the shape's sizes an entry of a level belongs to. Where a level has runs of several lengths, the shortest is taken.
  private func number(at level: TableLevel, inRun: Bool) -> Int {
    for number in shape.leaves.indices {
      let leaf = shape.leaves[number]
      if leaf.level == level, (leaf.entries > EntryCount(1)) == inRun { return number }
    }
    preconditionFailure("an entry of a level that maps no pages")
  }
}
