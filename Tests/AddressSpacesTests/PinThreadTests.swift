import AddressSpaces
import FrameAllocator
import FrameContents
import FrameMap
import Glibc
import HostArena
import HugePools
import Megalith
import MemoryUnits
import Mobility
import PhysicalLayout
import TestSupport
import Testing

/// Pins against everything that takes pages away. Run them under the thread sanitizer, with as many pins as wanted:
/// `MEGALITH_PINS=1000000 swift test --sanitize=thread --filter PinThreadTests`.
@Suite(.serialized) struct PinThreadTests {
  static let pins = getenv("MEGALITH_PINS").flatMap { Int(String(cString: $0)) } ?? 1_500

  private func world(_ model: MemoryModel) throws -> World<ArenaStorage> {
    let layout = try BootLayout(of: PhysicalMemory(total: .mebibytes(128), architecture: Architecture.x86_64).boot())
    let arena = try Arena(layout.memory.map { PhysicalRange($0, layout.architecture.baseShift) }, baseShift: PageShift(12))
    var policy = MachinePolicy()
    policy.minimumFree = .mebibytes(2)
    policy.keepsPageblocksFree = false
    policy.processors = CPUIndexLimit(4)
    return World(try Machine(layout, model: model, policy: policy, arena: arena))
  }

  /// Two threads pin and leave their marks in the frames, which must be there when they unpin; one maps, unmaps and protects; one
  /// moves what it finds. Every page that is freed is soon somebody else's, and cleared, so that a frame that went while it was
  /// pinned shows.
  @Test(arguments: [MemoryModel.sparse, .vmemmap]) func nothingPinnedGoes(model: MemoryModel) throws {
    let world = try world(model)
    world.grow(.huge, to: 8)
    let space = try world.space()
    let small = VirtualRange(start: VirtualAddress(16 << 20), count: .kibibytes(256))
    let huge = VirtualRange(start: VirtualAddress(32 << 20), count: .mebibytes(4))
    let pinned = Tally()
    let refused = Tally()
    let moved = Tally()
    let faults = Tally()
    let running = Tally(2)
    concurrently(4) { thread in
      let cpu = CPUIndex(UInt32(thread))
      var random = SplitMix(seed: UInt64(thread) + 40)
      switch thread {
      case 0, 1:
        while pinned.value < Self.pins {
          Self.pin(thread, Bool.random(using: &random) ? small : huge, in: space, of: world, &random, pinned, refused, faults)
        }
        running.add(-1)
      case 2:
        while running.value > 0 {
          let range = Bool.random(using: &random) ? small : huge
          Self.change(range, isHuge: range == huge, in: space, of: world, on: cpu, &random)
        }
      default:
        // On a busy machine the pins may be done before anything was moved; then there is something to move for sure.
        var rest = 1000
        while running.value > 0 || moved.value == 0 && rest > 0 {
          if Self.move(small, in: space, of: world, on: cpu, &random) { moved.add(1) }
          if running.value == 0 {
            rest -= 1
            var options = MappingOptions()
            options.place = .replacing(small.start)
            _ = try? world.machine.memory.map(.anonymous(.small), .kibibytes(4), in: space, options, on: cpu)
            _ = try? world.machine.memory.fault(small.start, .write, in: space, on: cpu)
          }
        }
      }
    }
    #expect(faults.value == 0)
    #expect(pinned.value >= Self.pins && moved.value > 0)
    try world.check()
    world.end(space)
    try world.finish()
  }

  /// Two threads pin for writing, one forks and ends the children, one writes, which copies. What is pinned must be what the space has
  /// at the address as long as nothing is unmapped.
  @Test(arguments: [MemoryModel.flat, .sparseExtreme]) func pinsStayWithTheParent(model: MemoryModel) throws {
    let world = try World(model: model)
    world.grow(.huge, to: 16)
    let space = try world.space()
    let small = try world.map(.anonymous(.small), .kibibytes(128), in: space)
    let huge = try world.map(.anonymous(.huge), .mebibytes(4), in: space)
    let pinned = Tally()
    let faults = Tally()
    let forks = Tally()
    let running = Tally(2)
    concurrently(4) { thread in
      let cpu = CPUIndex(UInt32(thread))
      var random = SplitMix(seed: UInt64(thread) + 70)
      switch thread {
      case 0, 1:
        while pinned.value < Self.pins {
          let range = Bool.random(using: &random) ? small : huge
          let page = UInt64.random(in: 0..<(range.count.rawValue >> 12), using: &random)
          let part = VirtualRange(start: range.start + ByteCount(page << 12), count: .kibibytes(4))
          if !Self.pinTwice(part, in: space, of: world, on: cpu) { faults.add(1) }
          pinned.add(1)
        }
        running.add(-1)
      case 2:
        while running.value > 0 {
          // The pool may be short of copies for pages that are pinned.
          guard let child = try? world.machine.memory.fork(space, on: cpu) else { continue }
          let range = Bool.random(using: &random) ? small : huge
          _ = try? world.machine.memory.fault(range.start, .write, in: child, on: cpu)
          world.machine.memory.destroy(child, on: cpu)
          forks.add(1)
        }
      default:
        while running.value > 0 {
          let range = Bool.random(using: &random) ? small : huge
          let page = UInt64.random(in: 0..<(range.count.rawValue >> 12), using: &random)
          _ = try? world.machine.memory.fault(range.start + ByteCount(page << 12), .write, in: space, on: cpu)
        }
      }
    }
    #expect(faults.value == 0)
    #expect(forks.value > 0)
    try world.check()
    world.end(space)
    try world.finish()
  }

  /// A page that is pinned for writing is found again by a second pin: it was not copied away from under the first.
  private static func pinTwice(
    _ part: VirtualRange, in space: AddressSpace, of world: World<HostStorage>, on cpu: CPUIndex
  ) -> Bool {
    var first = [FrameNumber(0)]
    var second = [FrameNumber(1)]
    var span = first.mutableSpan
    // A child that has the page may keep the pool short of a copy.
    guard let got = try? world.machine.memory.pin(part, .write, in: space, into: &span, on: cpu), got == FrameCount(1) else {
      return true
    }
    sched_yield()
    var other = second.mutableSpan
    let again = try? world.machine.memory.pin(part, .write, in: space, into: &other, on: cpu)
    guard again == FrameCount(1) else { return false }
    do throws(PinError) {
      try world.machine.memory.unpin(first.span, on: cpu)
      try world.machine.memory.unpin(second.span, on: cpu)
    } catch {
      return false
    }
    return first[0] == second[0]
  }

  private static func pin(
    _ thread: Int, _ range: VirtualRange, in space: AddressSpace, of world: World<ArenaStorage>, _ random: inout SplitMix,
    _ pinned: Tally, _ refused: Tally, _ faults: Tally
  ) {
    let cpu = CPUIndex(UInt32(thread))
    let pages = range.count.rawValue >> 12
    let start = UInt64.random(in: 0..<pages, using: &random)
    let count = UInt64.random(in: 1...min(16, pages - start), using: &random)
    let part = VirtualRange(start: range.start + ByteCount(start << 12), count: ByteCount(count << 12))
    var frames = [FrameNumber](repeating: FrameNumber(0), count: Int(count))
    let options: PinOptions = Bool.random(using: &random) ? [.write] : [.write, .longTerm]
    var done = 0
    do throws(PinError) {
      var span = frames.mutableSpan
      done = Int(try world.machine.memory.pin(part, options, in: space, into: &span, on: cpu).rawValue)
    } catch {
      switch error {
      // Unmapped or protected at the moment, or short of memory.
      case .fault, .nowhereToMigrate: refused.add(1)
      default: faults.add(1)
      }
      return
    }
    let mark = random.next() | 1
    for frame in frames[..<done] { world.mark(frame, thread, mark) }
    if Bool.random(using: &random) { sched_yield() }
    for frame in frames[..<done] where world.mark(of: frame, thread) != mark {
      // Two pins of one frame by this thread at once are not made; the marks of others lie beside.
      faults.add(1)
    }
    let mine = Array(frames[..<done])
    do throws(PinError) {
      try world.machine.memory.unpin(mine.span, isDirty: true, on: cpu)
    } catch {
      faults.add(1)
    }
    pinned.add(done)
  }

  private static func change(
    _ range: VirtualRange, isHuge: Bool, in space: AddressSpace, of world: World<ArenaStorage>, on cpu: CPUIndex,
    _ random: inout SplitMix
  ) {
    let size: ByteCount = isHuge ? .mebibytes(2) : .kibibytes(4)
    let pages = range.count / size
    let start = UInt64.random(in: 0..<pages, using: &random)
    let count = UInt64.random(in: 1...(pages - start), using: &random)
    let part = VirtualRange(start: range.start + size * start, count: size * count)
    var options = MappingOptions()
    options.place = .replacing(part.start)
    // Each may fail: what is not mapped cannot be protected, and the pool may be empty while pages are pinned.
    switch Int.random(in: 0..<6, using: &random) {
    case 0: try? world.machine.memory.unmap(part, in: space, on: cpu)
    case 1: try? world.machine.memory.protect(part, .read, in: space, on: cpu)
    case 2: try? world.machine.memory.protect(part, [.read, .write], in: space, on: cpu)
    case 3: try? world.machine.memory.advise(part, .notNeeded, in: space, on: cpu)
    default:
      _ = try? world.machine.memory.map(.anonymous(isHuge ? .huge : .small), part.count, in: space, options, on: cpu)
    }
  }

  /// Moves some folio that is mapped, if it can move.
  private static func move(
    _ range: VirtualRange, in space: AddressSpace, of world: World<ArenaStorage>, on cpu: CPUIndex, _ random: inout SplitMix
  ) -> Bool {
    var frames: [FrameNumber] = []
    world.machine.memory.forEachPage(in: range, of: space, as: .asMapped) { frames.append($0.frames.start) }
    guard let frame = frames.randomElement(using: &random), let folio = try? world.machine.zones.folio(containing: frame),
      folio.order == Order(0)
    else { return false }
    let context = world.machine.migration(of: world.machine.memory.owner, on: cpu)
    return (try? world.machine.zones.migrate(folio, node: NodeID(0), with: context)) != nil
  }
}

extension World where Storage == ArenaStorage {
  /// Leaves a mark in a frame, at the thread's own place.
  func mark(_ frame: FrameNumber, _ thread: Int, _ mark: UInt64) {
    try? machine.contents?.withMutableBytes(of: frame) { bytes in
      for byte in 0..<8 { bytes[thread * 8 + byte] = UInt8(truncatingIfNeeded: mark >> UInt64(byte * 8)) }
    }
  }

  func mark(of frame: FrameNumber, _ thread: Int) -> UInt64 {
    let mark = try? machine.contents?.withBytes(of: frame) { bytes in
      (0..<8).reduce(UInt64(0)) { $0 | UInt64(bytes[thread * 8 + $1]) << UInt64($1 * 8) }
    }
    return mark ?? 0
  }
}
