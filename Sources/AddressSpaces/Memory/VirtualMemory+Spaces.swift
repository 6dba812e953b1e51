import FrameAllocator
import FrameMap
public import MemoryUnits
import Synchronization

extension VirtualMemory {
  /// Makes an empty space.
  ///
  /// - Parameter node: where its pages and tables are looked for first.
  /// - Throws: `.outOfMemory`. Complexity: O(1). Linux: `mm_alloc`.
  public func makeSpace(node: NodeID = NodeID(0), on cpu: CPUIndex) throws(FaultError) -> AddressSpace {
    let root = try makeTable(shape.levels.below, node: node, on: cpu)
    let space = AddressSpace(root: root, node: node, pause: pause)
    books.state.withLock { $0.spaces.append(space) }
    return space
  }

  /// Unmaps everything and frees the space's tables. It must not be used afterwards; pages that are pinned stay until they are not.
  ///
  /// - Complexity: O(pages mapped). Linux: `exit_mmap`.
  public func destroy(_ space: AddressSpace, on cpu: CPUIndex) {
    var doomed = DoomedTables()
    var left: [Mapping] = []
    space.state.withLock { (state: inout AddressSpace.State) in
      precondition(!state.isDestroyed, "a space was destroyed twice")
      state.isDestroyed = true
      left = removeMappings(0..<state.mappings.all.count, of: space, &state, &doomed, on: cpu)
    }
    books.state.withLock { state in state.spaces.removeAll { $0 === space } }
    free(doomed, on: cpu)
    finish(left, of: space, on: cpu)
    zones.table.waitForReaders(barrier: barrier, pause: pause)
    zones.put(space.root, on: cpu)
  }

  /// Frames of page tables of a space, the root's included.
  ///
  /// - Complexity: O(entries of tables).
  public func tableFrames(of space: AddressSpace) -> FrameCount {
    space.state.withLock { _ in tableFrames(space.root, shape.levels.below) }
  }

  private func tableFrames(_ table: FrameNumber, _ level: TableLevel) -> FrameCount {
    var sum = shape.tableOrder(level).frames
    guard level > TableLevel(0) else { return sum }
    for index in 0..<shape.entries(level).rawValue {
      let entry = walk.load(
        EntryPlace(table: table, index: EntryIndex(index), level: level, address: VirtualAddress(0)))
      if entry.kind == .table { sum += tableFrames(entry.frame, level.below) }
    }
    return sum
  }
}
