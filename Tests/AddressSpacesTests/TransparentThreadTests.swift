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

/// Large pages that are pinned in parts while they are taken apart, made anew, swapped, moved, forked and unmapped. Run them under the
/// thread sanitizer, with as many pins as wanted in each of eight runs:
/// `MEGALITH_PINS=125000 swift test --sanitize=thread --filter TransparentThreadTests`.
@Suite(.serialized) struct TransparentThreadTests {
  static let pins = getenv("MEGALITH_PINS").flatMap { Int(String(cString: $0)) } ?? 1_200
  private static let start = VirtualAddress(1 << 30)
  private static let size = ByteCount.mebibytes(16)

  /// What a thread that changes things did.
  private struct Tallies: Sendable {
    let pinned = Tally()
    let faults = Tally()
    let splits = Tally()
    let collapses = Tally()
    let swapped = Tally()
    let moves = Tally()
    let forks = Tally()

    /// Whether folios were split, swapped out and moved.
    var hasEach: Bool { splits.value > 0 && swapped.value > 0 && moves.value > 0 }
  }

  private func policy() -> MachinePolicy {
    var policy = MachinePolicy()
    policy.minimumFree = .mebibytes(2)
    policy.keepsPageblocksFree = false
    policy.processors = CPUIndexLimit(4)
    policy.transparent = TransparentPolicy([.huge, PageSize(shift: PageShift(16))], .always)
    return policy
  }

  /// Two threads pin random parts, leave marks in their own lanes of the frames, and look at them: while the pins last, and when they come
  /// to the page again, where the mark must be the last one, or gone with the page. Two others change everything.
  @Test(arguments: zip([MemoryModel.sparse, .vmemmap, .sparse, .vmemmap], 0..<4 as Range<UInt64>))
  func contentsStay(model: MemoryModel, seed: UInt64)
    throws
  {
    let layout = try BootLayout(of: PhysicalMemory(total: .mebibytes(96), architecture: .x86_64).boot())
    let arena = try Arena(layout.memory.map { PhysicalRange($0, layout.architecture.baseShift) }, baseShift: PageShift(12))
    let world = World(try Machine(layout, model: model, policy: policy(), arena: arena))
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 32 << 20, alignment: 4096)
    nonisolated(unsafe) let lent = bytes
    let area = world.machine.memory.addSwap(MemorySwapDevice(bytes, baseShift: PageShift(12)) { lent.deallocate() })
    let space = try world.space()
    let range = try world.map(.anonymous(.small), Self.size, in: space) { $0.place = .at(Self.start) }
    let tallies = Tallies()
    let running = Tally(2)
    concurrently(4) { thread in
      let cpu = CPUIndex(UInt32(thread))
      var random = SplitMix(seed: seed * 4 + UInt64(thread))
      switch thread {
      case 0, 1:
        var marks: [UInt64: UInt64] = [:]
        while tallies.pinned.value < Self.pins {
          Self.pin(thread, in: space, of: world, &random, &marks, tallies)
        }
        running.add(-1)
      default:
        // On a busy machine the pins may be done before anything was changed.
        var rest = 20_000
        while running.value > 0 || !tallies.hasEach && rest > 0 {
          Self.change(range, in: space, of: world, on: cpu, &random, tallies)
          if running.value == 0 {
            rest -= 1
            var options = MappingOptions()
            options.place = .replacing(range.start)
            _ = try? world.machine.memory.map(.anonymous(.small), .mebibytes(2), in: space, options, on: cpu)
            _ = try? world.machine.memory.fault(range.start, .write, in: space, on: cpu)
          }
        }
      }
    }
    #expect(tallies.faults.value == 0)
    #expect(tallies.pinned.value >= Self.pins)
    #expect(tallies.hasEach)
    try world.check()
    world.end(space)
    world.machine.memory.splitDeferred(on: world.cpu)
    #expect(area.used == .zero && area.cached == .zero)
    try world.finish()
  }

  /// The same with forks, on machines without contents: a page that is pinned for writing is found by a second pin.
  @Test(arguments: zip([MemoryModel.flat, .sparseExtreme, .discontiguous, .flat], 4..<8 as Range<UInt64>))
  func pinsStayWithTheParent(model: MemoryModel, seed: UInt64) throws {
    let world = try World(.x86_64, .mebibytes(512), model: model) { $0 = self.policy() }
    let area = world.machine.memory.addSwap(MemorySwapDevice(slots: SlotCount(8192), baseShift: PageShift(12)))
    let space = try world.space()
    let range = try world.map(.anonymous(.small), Self.size, in: space) { $0.place = .at(Self.start) }
    let tallies = Tallies()
    let running = Tally(2)
    concurrently(4) { thread in
      let cpu = CPUIndex(UInt32(thread))
      var random = SplitMix(seed: seed * 4 + UInt64(thread))
      switch thread {
      case 0, 1:
        while tallies.pinned.value < Self.pins { Self.pinTwice(range, in: space, of: world, on: cpu, &random, tallies) }
        running.add(-1)
      case 2:
        while running.value > 0 {
          guard let child = try? world.machine.memory.fork(space, on: cpu) else { continue }
          for _ in 0..<4 {
            let page = UInt64.random(in: 0..<Self.size.rawValue >> 12, using: &random)
            _ = try? world.machine.memory.fault(range.start + .kibibytes(4) * page, .write, in: child, on: cpu)
          }
          world.machine.memory.destroy(child, on: cpu)
          tallies.forks.add(1)
        }
      default:
        while running.value > 0 {
          Self.change(range, in: space, of: world, on: cpu, &random, tallies, unmaps: false)
        }
      }
    }
    #expect(tallies.faults.value == 0)
    #expect(tallies.pinned.value >= Self.pins && tallies.forks.value > 0)
    try world.check()
    world.end(space)
    world.machine.memory.splitDeferred(on: world.cpu)
    #expect(area.used == .zero && area.cached == .zero)
    try world.finish()
  }

  private static func part(_ random: inout SplitMix) -> (first: UInt64, count: UInt64) {
    let pages = size.rawValue >> 12
    // Mostly a few pages; now and then a whole huge one.
    if UInt8.random(in: 0..<16, using: &random) == 0 {
      return (UInt64.random(in: 0..<pages / 512, using: &random) * 512, 512)
    }
    let first = UInt64.random(in: 0..<pages, using: &random)
    return (first, UInt64.random(in: 1...min(12, pages - first), using: &random))
  }

  private static func pin(
    _ thread: Int, in space: AddressSpace, of world: World<ArenaStorage>, _ random: inout SplitMix,
    _ marks: inout [UInt64: UInt64],
    _ tallies: Tallies
  ) {
    let cpu = CPUIndex(UInt32(thread))
    let (first, count) = part(&random)
    let range = VirtualRange(start: start + .kibibytes(4) * first, count: .kibibytes(4) * count)
    var frames = [FrameNumber](repeating: FrameNumber(0), count: Int(count))
    var done = 0
    do throws(PinError) {
      var span = frames.mutableSpan
      done = Int(try world.machine.memory.pin(range, .write, in: space, into: &span, on: cpu).rawValue)
    } catch {
      // Unmapped or protected at the moment, or short of memory.
      guard case .fault = error else { return tallies.faults.add(1) }
      return
    }
    let mark = random.next() | 1
    for place in 0..<done {
      let page = first + UInt64(place)
      let found = world.mark(of: frames[place], thread)
      if found != 0, found != marks[page] { tallies.faults.add(1) }
      world.mark(frames[place], thread, mark)
      marks[page] = mark
    }
    if Bool.random(using: &random) { sched_yield() }
    for place in 0..<done where world.mark(of: frames[place], thread) != mark { tallies.faults.add(1) }
    giveBack(Array(frames[..<done]), of: world, on: cpu, &random, tallies)
    tallies.pinned.add(done)
  }

  /// All at once, backwards, or one by one: whatever the folios have become meanwhile.
  private static func giveBack<Storage>(
    _ frames: [FrameNumber], of world: World<Storage>, on cpu: CPUIndex, _ random: inout SplitMix, _ tallies: Tallies
  ) {
    do throws(PinError) {
      switch Int.random(in: 0..<3, using: &random) {
      case 0: try world.machine.memory.unpin(frames.span, isDirty: true, on: cpu)
      case 1:
        let backwards = Array(frames.reversed())
        try world.machine.memory.unpin(backwards.span, on: cpu)
      default:
        for frame in frames { try world.machine.memory.unpin(FrameRange(start: frame, count: FrameCount(1)), on: cpu) }
      }
    } catch {
      tallies.faults.add(1)
    }
  }

  private static func pinTwice(
    _ range: VirtualRange, in space: AddressSpace, of world: World<HostStorage>, on cpu: CPUIndex, _ random: inout SplitMix,
    _ tallies: Tallies
  ) {
    let (first, count) = part(&random)
    let part = VirtualRange(start: range.start + .kibibytes(4) * first, count: .kibibytes(4) * count)
    guard let frames = pinned(part, in: space, of: world, on: cpu) else { return }
    sched_yield()
    if let again = pinned(part, in: space, of: world, on: cpu) {
      for place in 0..<min(frames.count, again.count) where frames[place] != again[place] { tallies.faults.add(1) }
      giveBack(again, of: world, on: cpu, &random, tallies)
    }
    giveBack(frames, of: world, on: cpu, &random, tallies)
    tallies.pinned.add(frames.count)
  }

  private static func pinned(
    _ part: VirtualRange, in space: AddressSpace, of world: World<HostStorage>, on cpu: CPUIndex
  ) -> [FrameNumber]? {
    var frames = [FrameNumber](repeating: FrameNumber(0), count: Int(part.count.rawValue >> 12))
    var span = frames.mutableSpan
    guard let done = try? world.machine.memory.pin(part, .write, in: space, into: &span, on: cpu) else { return nil }
    return Array(frames[..<Int(done.rawValue)])
  }

  /// One random change. Each may be refused.
  private static func change<Storage>(
    _ range: VirtualRange, in space: AddressSpace, of world: World<Storage>, on cpu: CPUIndex, _ random: inout SplitMix,
    _ tallies: Tallies, unmaps: Bool = true
  ) {
    let (first, count) = part(&random)
    let part = VirtualRange(start: range.start + .kibibytes(4) * first, count: .kibibytes(4) * count)
    switch Int.random(in: 0..<(unmaps ? 12 : 8), using: &random) {
    case 0, 1:
      guard let folio = folio(in: part, of: space, world), folio.order > Order(0) else { return }
      let order = Order(UInt8.random(in: 0..<folio.order.rawValue, using: &random))
      if (try? world.machine.memory.split(folio, to: order, on: cpu)) != nil { tallies.splits.add(1) }
    case 2, 3:
      if (try? world.machine.memory.collapse(part.start, to: .huge, in: space, on: cpu)) == true { tallies.collapses.add(1) }
    case 4, 5:
      if let frames = try? world.machine.memory.swapOut(part, in: space, on: cpu), frames > .zero { tallies.swapped.add(1) }
    case 6: world.machine.memory.splitDeferred(limit: FolioCount(2), on: cpu)
    case 7:
      guard let folio = folio(in: part, of: space, world) else { return }
      let context = world.machine.migration(of: world.machine.memory.owner, on: cpu)
      if (try? world.machine.zones.migrate(folio, node: NodeID(0), with: context)) != nil { tallies.moves.add(1) }
    case 8: try? world.machine.memory.unmap(part, in: space, on: cpu)
    case 9: try? world.machine.memory.advise(part, .notNeeded, in: space, on: cpu)
    case 10:
      try? world.machine.memory.protect(part, .read, in: space, on: cpu)
      try? world.machine.memory.protect(part, [.read, .write], in: space, on: cpu)
    default:
      // Whole huge pages come back, so that there is something to do.
      var options = MappingOptions()
      options.place = .replacing(part.start.aligned(to: .mebibytes(2), .down))
      _ = try? world.machine.memory.map(.anonymous(.small), .mebibytes(2), in: space, options, on: cpu)
    }
  }

  private static func folio<Storage>(in part: VirtualRange, of space: AddressSpace, _ world: World<Storage>) -> FolioPlace? {
    var found: FrameNumber?
    world.machine.memory.forEachPage(in: part, of: space, as: .asMapped) { found = found ?? $0.frames.start }
    return found.flatMap { try? world.machine.zones.folio(containing: $0) }
  }
}
