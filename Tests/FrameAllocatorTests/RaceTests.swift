import FrameAllocator
import Glibc
import MemoryUnits
import Synchronization
import TestSupport
import Testing

/// Does at a point of the tree what another thread could do there, once.
final class Interloper: TreeObserver {
  private let point: TreePoint
  private let isArmed = Atomic<Bool>(false)
  nonisolated(unsafe) private var act: () -> Void = {}

  init(at point: TreePoint) { self.point = point }

  func arm(_ act: @escaping () -> Void) {
    self.act = act
    isArmed.store(true, ordering: .releasing)
  }
  var hasActed: Bool { !isArmed.load(ordering: .acquiring) }

  func reached(_ point: TreePoint) {
    guard point == self.point, isArmed.exchange(false, ordering: .acquiringAndReleasing) else { return }
    act()
  }
}

/// A tree with an interloper.
final class WatchedTree: Sendable {
  let tree: FreeTreeCore<Interloper>
  let interloper: Interloper
  nonisolated(unsafe) private let storage: UnsafeMutableRawBufferPointer

  init(_ zone: FrameRange, _ point: TreePoint) throws {
    storage = zeroed(FreeTree.storageBytes(for: zone.count))
    interloper = Interloper(at: point)
    tree = FreeTreeCore(zone: zone, storage: storage, observer: interloper)
    try tree.release(zone)
  }

  deinit { storage.deallocate() }

  func allocate(_ order: Order, from placement: Placement) -> FrameNumber? { tree.allocate(order, from: placement) }
  func claim(_ range: FrameRange) throws(FreeTreeError) { try tree.claim(range) }
  func free(_ start: FrameNumber, order: Order) throws(FreeTreeError) { try tree.free(start, order: order) }
  func freeFrames() -> FrameCount { tree.freeFrames() }
  func isFree(_ range: FrameRange) -> Bool { tree.isFree(range) }
}

@Suite struct RollbackTests {
  /// A block that spans several words of its node loses the second one after it cleared the first. Leaf, 2 MiB and 1 GiB level.
  @Test(arguments: [(8, 0), (7, 0), (17, 9), (16, 9), (25, 18)] as [(UInt8, UInt8)])
  func aBlockThatTurnsOutNotFreeHalfWay(order: UInt8, stolen: UInt8) throws {
    let order = Order(order)
    let size = order.frames
    let step = Order(stolen).frames
    // One block of the order fits, and beside it there is room enough that the count does not protect it.
    let zone = frames(step.rawValue, size.rawValue * 2)
    let watched = try WatchedTree(zone, .claimedWord)
    let victim = FrameNumber(rawValue: size.rawValue * 2 - step.rawValue)
    watched.interloper.arm {
      let range = FrameRange(start: victim, count: step)
      try? watched.tree.claim(range)
    }
    #expect(watched.allocate(order, from: .lowest) == nil)
    #expect(watched.interloper.hasActed)
    try watched.tree.checkInvariants()
    #expect(watched.freeFrames() == zone.count - step)
    try watched.free(victim, order: Order(stolen))
    #expect(watched.isFree(zone))
    #expect(watched.allocate(order, from: .lowest) == FrameNumber(size.rawValue))
    try watched.tree.checkInvariants()
  }

  /// A range loses its last frame after half of its blocks were claimed.
  @Test func aRangeThatTurnsOutNotFreeHalfWay() throws {
    let zone = frames(0x100, 0x80100)
    let watched = try WatchedTree(zone, .claimedBlock)
    watched.interloper.arm { try? watched.tree.claim(frames(0x5678, 0x5679)) }
    #expect(throws: FreeTreeError.notFree) { try watched.claim(frames(0x111, 0x5679)) }
    #expect(watched.interloper.hasActed)
    #expect(watched.freeFrames() == zone.count - FrameCount(1))
    try watched.tree.checkInvariants()
    try watched.free(FrameNumber(0x5678), order: Order(0))
    try watched.claim(frames(0x111, 0x5679))
    try watched.tree.checkInvariants()
  }

  /// A request that took its share of the count loses the frames it saw to another one, and finds others.
  @Test func aRunThatGoesAfterTheCountWasTaken() throws {
    let zone = frames(0, 500)
    let watched = try WatchedTree(zone, .reserved)
    watched.interloper.arm { try? watched.tree.claim(frames(0, 16)) }
    #expect(watched.allocate(Order(4), from: .lowest) == FrameNumber(16))
    #expect(watched.interloper.hasActed)
    try watched.tree.checkInvariants()
  }

  /// All that is free is on its way from one level to another when a second thread asks: it waits, and gets a frame.
  @Test(arguments: [TreePoint.movingDown, .movingUp])
  func aRequestWaitsForMemoryOnItsWay(point: TreePoint) throws {
    let zone = frames(0x200, 0x400)
    let watched = try WatchedTree(zone, point)
    if point == .movingUp { try watched.claim(frames(0x200, 0x201)) }
    let isOnTheWay = Tally()
    let hasBegun = Tally()
    let second = Tally(-1)
    watched.interloper.arm {
      isOnTheWay.add(1)
      while hasBegun.value == 0 {}
      // The other one searches now, and nothing is to be found.
      usleep(20_000)
    }
    concurrently(2) { thread in
      if thread == 1 {
        while isOnTheWay.value == 0 {}
        hasBegun.add(1)
        second.add(watched.tree.allocate(Order(0), from: .highest).map { Int($0.rawValue) + 1 } ?? 0)
      } else if point == .movingDown {
        #expect(watched.allocate(Order(0), from: .lowest) == FrameNumber(0x200))
      } else {
        #expect(throws: Never.self) { try watched.free(FrameNumber(0x200), order: Order(0)) }
      }
    }
    #expect(second.value == 0x3ff)
    try watched.tree.checkInvariants()
  }
}
