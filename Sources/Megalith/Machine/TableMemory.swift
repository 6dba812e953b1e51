import FrameContents
import FrameMap
import HostArena
import MemoryUnits
import PhysicalLayout

/// What a machine's maker lends it.
public protocol MachineStorage: MemmapStorage {
  /// What clears and copies its bytes.
  associatedtype Mover: ContentMover
}

extension HostStorage: MachineStorage {
  public typealias Mover = HostMover
}

extension ArenaStorage: MachineStorage {
  public typealias Mover = HostMover
}

/// Where the words of page tables are: in the frames' contents, or, for a machine that is metadata only, in memory lent for all frames,
/// of which only what tables use is ever touched.
struct TableMemory: @unchecked Sendable {
  // Unchecked, because of the pointers: they are followed by who made them, once, when the machine has gone.
  let map: DirectMap
  private let windows: UnsafeMutableBufferPointer<DirectWindow>?
  private let give: @Sendable () -> Void

  /// Without room for as many addresses as the machine has, there is a machine, and no space can be made in it.
  ///
  /// - Parameter limit: where memory may end that comes later.
  init(_ layout: BootLayout, upTo limit: FrameNumber?, _ contents: DirectMap?, _ storage: some MemmapStorage) {
    let shift = layout.architecture.baseShift
    let end = max(layout.nodes.flatMap { $0.memory.map { $0.end } }.max() ?? FrameNumber(0), limit ?? FrameNumber(0))
    let size = ByteCount(end - FrameNumber(0), shift).aligned(to: max(storage.granule, shift.bytes), .up)
    if let contents {
      map = contents
      windows = nil
      give = {}
      return
    }
    let base = try? storage.reserve(size, for: .tables)
    if let base, (try? storage.commit(base, size, for: .tables)) != nil {
      let buffer = UnsafeMutableBufferPointer<DirectWindow>.allocate(capacity: 1)
      // One window over all frames, of as many bytes as were reserved.
      buffer.initializeElement(at: 0, to: DirectWindow(frames: FrameRange(start: FrameNumber(0), end: end), base: base))
      map = DirectMap(windows: UnsafeBufferPointer(buffer), baseShift: shift)
      windows = buffer
      let address = UInt(bitPattern: base)
      give = {
        guard let base = UnsafeMutableRawPointer(bitPattern: address) else { return }
        storage.release(base, size)
      }
    } else {
      if let base { storage.release(base, size) }
      map = DirectMap(windows: UnsafeBufferPointer(start: nil, count: 0), baseShift: shift)
      windows = nil
      give = {}
    }
  }

  func release() {
    give()
    windows?.deallocate()
  }
}
