import FrameAllocator
public import MemoryUnits

/// Goes over all spaces, a step at a time, and makes large pages of small ones where the policy wants them. It has no thread of its own:
/// its caller says when, and how much.
///
/// Linux: `khugepaged`, with `pages_to_scan` for the step.
public struct CollapseScanner: Sendable {
  /// What came of a step.
  public struct Progress: Hashable, Sendable {
    /// Base pages that were looked at.
    public internal(set) var scanned = FrameCount.zero
    /// Pages that were made.
    public internal(set) var collapsed = PageCount.zero
    /// Ranges that were left as they are, and why the last of them was.
    public internal(set) var refused = PageCount.zero
    public internal(set) var lastRefusal: CollapseError?
    /// Whether all spaces have been gone over once more.
    public internal(set) var endsPass = false
  }

  public let size: PageSize
  /// Where the next step begins: a space, and an address in it.
  private var space: AddressSpace?
  private var address = VirtualAddress(0)

  public init(_ size: PageSize) { self.size = size }

  /// Looks at about so many base pages: whole ranges of a large page, at least one where there is one.
  ///
  /// - Complexity: O(frames), and the copies. Threads: any, one at a time for each scanner.
  public mutating func step<Mover>(
    frames budget: FrameCount, of memory: borrowing VirtualMemory<Mover>, on cpu: CPUIndex
  ) -> Progress {
    var progress = Progress()
    let spaces = memory.books.state.withLock { $0.spaces }
    guard let first = spaces.first else {
      progress.endsPass = true
      return progress
    }
    // A space that has gone meanwhile is as good as the first.
    var place = spaces.firstIndex { $0 === space } ?? 0
    if spaces[place] !== space { (space, address) = (first, VirtualAddress(0)) }
    while progress.scanned < budget {
      guard let next = memory.nextCollapsible(from: address, size, in: spaces[place]) else {
        place += 1
        address = VirtualAddress(0)
        guard place < spaces.count else {
          space = nil
          progress.endsPass = true
          return progress
        }
        space = spaces[place]
        continue
      }
      do throws(CollapseError) {
        if try memory.collapse(next, to: size, in: spaces[place], on: cpu) { progress.collapsed += PageCount(1) }
      } catch {
        progress.refused += PageCount(1)
        progress.lastRefusal = error
      }
      progress.scanned += FrameCount(size.bytes / memory.shape.baseShift.bytes)
      address = next + size.bytes
    }
    return progress
  }
}

extension VirtualMemory {
  /// The first range from an address on that the policy lets be collapsed; nil where there is none.
  func nextCollapsible(from address: VirtualAddress, _ size: PageSize, in space: AddressSpace) -> VirtualAddress? {
    let use = transparentPolicy[size]
    return space.state.withLock { state in
      for number in state.mappings.position(of: address)..<max(state.mappings.all.count, state.mappings.position(of: address)) {
        let mapping = state.mappings[number]
        guard mapping.allows(use) else { continue }
        let start = max(address, mapping.range.start).aligned(to: size.bytes, .up)
        if start < mapping.range.end, mapping.range.end - start >= size.bytes { return start }
      }
      return nil
    }
  }
}
