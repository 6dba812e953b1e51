import FrameMap
import HostArena
import MemoryUnits
import Synchronization

/// Frames for the descriptors of memory that comes: those of it, or others, that whoever adds it has set aside.
///
/// What is given back stays set aside until its owner frees it: the memory that it came with, or the zones. Frames that a boot allocator
/// gave have no such owner, and stay reserved.
final class LentFrames: MemmapFrameSource, MemmapLender {
  private let shift: PageShift
  /// What was lent and not taken, in the order of use.
  private let left = Mutex<[PhysicalRange]>([])

  init(_ shift: PageShift) { self.shift = shift }

  func lend(_ frames: [FrameRange]) {
    left.withLock { $0 = frames.map { PhysicalRange($0, shift) } }
  }

  func takeFrames(
    _ size: ByteCount, granule: ByteCount, describing described: FrameRange
  ) throws(MemmapStorageError) -> [PhysicalRange] {
    let taken: [PhysicalRange]? = left.withLock { left in
      let before = left
      var taken: [PhysicalRange] = []
      var rest = size
      while rest > .zero {
        guard let first = left.first else {
          left = before
          return nil
        }
        let part = PhysicalRange(start: first.start, count: min(rest, first.count))
        taken.append(part)
        rest -= part.count
        if part == first { left.removeFirst() } else { left[0] = PhysicalRange(start: part.end, end: first.end) }
      }
      return taken
    }
    guard let taken else { throw .noMemory(size) }
    return taken
  }

  func giveBack(_ range: PhysicalRange) {}
}
