import FrameAllocator
import MemoryUnits

/// A tree over storage of its own. Forwards to it, because expectations cannot name a value that cannot be copied.
final class TreeStorage: Sendable {
  nonisolated(unsafe) private let storage: UnsafeMutableRawBufferPointer
  let tree: FreeTree

  init(_ zone: FrameRange) {
    storage = zeroed(FreeTree.storageBytes(for: zone.count))
    tree = FreeTree(zone: zone, storage: storage)
  }

  deinit { storage.deallocate() }

  var highestOrder: Order { tree.highestOrder }
  func allocate(_ order: Order, from placement: Placement) -> FrameNumber? { tree.allocate(order, from: placement) }
  func free(_ start: FrameNumber, order: Order) throws(FreeTreeError) { try tree.free(start, order: order) }
  func claim(_ range: FrameRange) throws(FreeTreeError) { try tree.claim(range) }
  func release(_ range: FrameRange) throws(FreeTreeError) { try tree.release(range) }
  func isFree(_ range: FrameRange) -> Bool { tree.isFree(range) }
  func freeFrames() -> FrameCount { tree.freeFrames() }
  func largestFreeOrder() -> Order? { tree.largestFreeOrder() }
  func checkInvariants() throws(FreeTreeFault) { try tree.checkInvariants() }
}

func zeroed(_ bytes: ByteCount) -> UnsafeMutableRawBufferPointer {
  let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(bytes.rawValue), alignment: 64)
  memory.initializeMemory(as: UInt8.self, repeating: 0)
  return memory
}

func frames(_ start: UInt64, _ end: UInt64) -> FrameRange {
  FrameRange(start: FrameNumber(start), end: FrameNumber(end))
}

/// A zone drawn as text, from frame 0x40 on: `.` free, `#` held; spaces only part it.
struct DrawnTree {
  let storage: TreeStorage
  private let drawing: String

  init(_ drawing: String) {
    self.drawing = drawing
    let characters = drawing.filter { $0 != " " }
    storage = TreeStorage(frames(0x40, 0x40 + UInt64(characters.count)))
    for (index, character) in characters.enumerated() where character == "." {
      try? storage.release(frames(0x40 + UInt64(index), 0x41 + UInt64(index)))
    }
  }

  /// The zone as it is now, parted like the drawing it was made from.
  var text: String {
    var frame = UInt64(0x40)
    return String(
      drawing.map { character in
        guard character != " " else { return " " }
        defer { frame += 1 }
        return storage.isFree(frames(frame, frame + 1)) ? "." : "#"
      })
  }
}

/// The naive allocator: one boolean a frame.
struct FrameOracle {
  let zone: FrameRange
  private var isFreeAt: [Bool]

  init(_ zone: FrameRange) {
    self.zone = zone
    isFreeAt = Array(repeating: false, count: Int(zone.count.rawValue))
  }

  mutating func set(_ range: FrameRange, free: Bool) {
    for frame in range.start.rawValue..<range.end.rawValue { isFreeAt[Int(frame - zone.start.rawValue)] = free }
  }
  func isFree(_ range: FrameRange) -> Bool {
    (range.start.rawValue..<range.end.rawValue).allSatisfy { isFreeAt[Int($0 - zone.start.rawValue)] }
  }
  var freeFrames: FrameCount { FrameCount(UInt64(isFreeAt.count { $0 })) }

  mutating func allocate(_ order: Order, _ placement: Placement) -> FrameNumber? {
    guard let block = find(order, placement) else { return nil }
    set(FrameRange(blockAt: block, order: order), free: false)
    return block
  }
  var largestFreeOrder: Order? {
    (0...UInt8(20)).reversed().lazy.map { Order($0) }.first { find($0, .lowest) != nil }
  }

  private func find(_ order: Order, _ placement: Placement) -> FrameNumber? {
    let inside = zone.aligned(to: order.frames, .down)
    guard !inside.isEmpty, zone.contains(inside) else { return nil }
    let starts = stride(from: inside.start.rawValue, to: inside.end.rawValue, by: Int(order.frames.rawValue))
    let blocks = placement == .lowest ? Array(starts) : starts.reversed()
    return blocks.lazy.map { FrameNumber($0) }.first { isFree(FrameRange(blockAt: $0, order: order)) }
  }
}
