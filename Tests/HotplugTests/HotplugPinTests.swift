import AddressSpaces
import FrameAllocator
import FrameContents
import FrameMap
import Glibc
import HostArena
import Hotplug
import HugePools
import Megalith
import MemoryUnits
import PhysicalLayout
import TestSupport
import Testing

/// Pins, page faults, pools and look-ups while blocks come and go, on the node that they use and on another. Every frame has contents, so
/// that one that goes while it is pinned shows. Run them under the thread sanitizer too, with as many rounds as wanted:
/// `MEGALITH_HOTPLUG_ROUNDS=200 swift test --sanitize=thread --filter HotplugPinTests`.
@Suite(.serialized) struct HotplugPinTests {
  private static let rounds = getenv("MEGALITH_HOTPLUG_ROUNDS").flatMap { Int(String(cString: $0)) } ?? 12
  private static let small = VirtualRange(start: VirtualAddress(16 << 20), count: .kibibytes(256))
  private static let large = VirtualRange(start: VirtualAddress(32 << 20), count: .mebibytes(4))
  private static let huge = PageSize(shift: PageShift(21))

  /// What the threads count together.
  private struct Tallies: Sendable {
    let faults = Tally()
    let working = Tally(2)
    let gone = Tally()
    let moved = Tally()
    let pinned = Tally()
    let fast = Tally()
    let late = Tally()
  }

  private static func plant(_ model: MemoryModel, _ hosting: HostingUnit) throws -> Plant<ArenaStorage> {
    let layout = try Plants.layout(nodes: [.mebibytes(64), .mebibytes(64)])
    let later = PhysicalRange(start: PhysicalAddress(256 << 20), end: PhysicalAddress(320 << 20))
    let arena = try Arena(layout.memory.map { PhysicalRange($0, PageShift(12)) } + [later], baseShift: PageShift(12))
    var policy = Plants.policy(hosting, limit: .mebibytes(512))
    policy.processors = CPUIndexLimit(6)
    return try Plant(machine: try Machine(layout, model: model, policy: policy, arena: arena))
  }

  @Test(arguments: Plants.changeable, [HostingUnit.eachBlock, .wholeRange])
  func nothingPinnedGoes(model: MemoryModel, hosting: HostingUnit) throws {
    let plant = try Self.plant(model, hosting)
    let space = try plant.machine.memory.makeSpace(on: CPUIndex(0))
    let tallies = Tallies()
    concurrently(6) { thread in
      let cpu = CPUIndex(UInt32(thread))
      var random = SplitMix(seed: UInt64(thread) + 90)
      switch thread {
      case 0: Self.comeAndGo(mebibytes(256, 272), NodeID(0), plant, tallies, on: cpu)
      case 1: Self.comeAndGo(mebibytes(288, 296), NodeID(1), plant, tallies, on: cpu)
      case 2, 3: while tallies.working.value > 0 { Self.pin(thread, in: space, plant, tallies, &random) }
      case 4: while tallies.working.value > 0 { Self.change(in: space, plant, on: cpu, &random) }
      default: while tallies.working.value > 0 { Self.look(plant, on: cpu, &random) }
      }
    }
    #expect(tallies.faults.value == 0 && tallies.gone.value == 2 * Self.rounds)
    #expect(tallies.pinned.value > 0 && tallies.fast.value > 0 && tallies.late.value > 0 && tallies.moved.value > 0)
    plant.machine.memory.destroy(space, on: CPUIndex(0))
    plant.machine.memory.pools.drain(zones: plant.machine.zones, on: CPUIndex(0))
    plant.machine.zones.drain()
    plant.finish()
  }

  private static func comeAndGo(
    _ range: FrameRange, _ node: NodeID, _ plant: Plant<ArenaStorage>, _ tallies: Tallies, on cpu: CPUIndex
  ) {
    for round in 0..<rounds {
      do throws(HotplugError) {
        try plant.machine.add(range, node: node, memmap: round % 2 == 0 ? .fromRange : .elsewhere, on: cpu)
        try plant.machine.online(range, round % 3 == 0 ? .kernel : .movable)
      } catch {
        tallies.faults.add(1)
        break
      }
      // Long enough for others to use it.
      let pins = tallies.pinned.value
      for _ in 0..<200 where tallies.pinned.value < pins + 100 { sched_yield() }
      while true {
        do throws(HotplugError) {
          tallies.moved.add(Int(try plant.machine.offline(range, on: cpu).moves.rawValue))
          break
        } catch {
          // Pins are short, and what cannot move is given back soon.
          sched_yield()
        }
      }
      do throws(HotplugError) { try plant.machine.remove(range, on: cpu) } catch { tallies.faults.add(1) }
      tallies.gone.add(1)
    }
    tallies.working.add(-1)
  }

  private static func pin(
    _ thread: Int, in space: AddressSpace, _ plant: Plant<ArenaStorage>, _ tallies: Tallies, _ random: inout SplitMix
  ) {
    let cpu = CPUIndex(UInt32(thread))
    let range = Bool.random(using: &random) ? small : large
    let pages = range.count.rawValue >> 12
    let start = UInt64.random(in: 0..<pages, using: &random)
    let count = UInt64.random(in: 1...min(16, pages - start), using: &random)
    let part = VirtualRange(start: range.start + ByteCount(start << 12), count: ByteCount(count << 12))
    var frames = [FrameNumber](repeating: FrameNumber(0), count: Int(count))
    let isFast = Bool.random(using: &random)
    var done = 0
    do throws(PinError) {
      var span = frames.mutableSpan
      if isFast {
        done = Int(plant.machine.memory.pinMapped(part, .write, in: space, into: &span, on: cpu).rawValue)
      } else {
        done = Int(try plant.machine.memory.pin(part, .write, in: space, into: &span, on: cpu).rawValue)
      }
    } catch {
      // Unmapped at the moment, or short of pages of the pool.
      if case .fault = error { return }
      return tallies.faults.add(1)
    }
    let mine = Array(frames[..<done])
    let mark = random.next() | 1
    for frame in mine { plant.mark(frame, thread, mark) }
    if Bool.random(using: &random) { sched_yield() }
    for frame in mine where plant.mark(of: frame, thread) != mark { tallies.faults.add(1) }
    for frame in mine {
      // It is pinned, so that it can be found by its number.
      guard let folio = try? plant.machine.zones.folio(containing: frame), folio.frames.contains(frame) else {
        tallies.faults.add(1)
        continue
      }
      guard frame >= FrameNumber(256 << 8) else { continue }
      tallies.late.add(1)
    }
    do throws(PinError) { try plant.machine.memory.unpin(mine.span, isDirty: true, on: cpu) } catch { tallies.faults.add(1) }
    tallies.pinned.add(done)
    if isFast { tallies.fast.add(done) }
  }

  /// Maps and unmaps, so that pages come from wherever there is memory now, and has the pool grow and shrink.
  private static func change(
    in space: AddressSpace, _ plant: Plant<ArenaStorage>, on cpu: CPUIndex, _ random: inout SplitMix
  ) {
    let isLarge = Bool.random(using: &random)
    let range = isLarge ? large : small
    let size: ByteCount = isLarge ? .mebibytes(2) : .kibibytes(4)
    let start = UInt64.random(in: 0..<range.count / size, using: &random)
    let part = VirtualRange(start: range.start + size * start, end: range.end)
    var options = MappingOptions()
    options.place = .replacing(part.start)
    switch UInt64.random(in: 0..<6, using: &random) {
    case 0: try? plant.machine.memory.unmap(part, in: space, on: cpu)
    case 1:
      plant.machine.memory.pools.setSize(
        huge, to: PageCount(.random(in: 2...6, using: &random)), zones: plant.machine.zones,
        with: plant.machine.migration(of: plant.machine.memory.owner, on: cpu))
    default:
      let page = isLarge ? huge : PageSize(shift: PageShift(12))
      _ = try? plant.machine.memory.map(.anonymous(page), part.count, in: space, options, on: cpu)
    }
    sched_yield()
  }

  /// Allocates and frees, and comes to frames by their numbers alone.
  private static func look(_ plant: Plant<ArenaStorage>, on cpu: CPUIndex, _ random: inout SplitMix) {
    var held: [FrameNumber] = []
    for _ in 0..<8 {
      let order = Order(UInt8.random(in: 0...4, using: &random))
      let node = NodeID(UInt32.random(in: 0...1, using: &random))
      if let folio = try? plant.machine.zones.allocate(order, FrameRequest(.movable, node: node), on: cpu) {
        held.append(folio.head)
      }
    }
    for _ in 0..<32 {
      let frame = FrameNumber(256 << 8) + FrameCount(.random(in: 0..<40 << 8, using: &random))
      plant.machine.map.read(on: cpu) {
        guard plant.machine.map.isValid(frame), let place = try? plant.machine.zones.tryGet(frame, on: cpu) else { return }
        plant.machine.zones.put(place.head, on: cpu)
      }
    }
    for head in held { plant.machine.zones.put(head, on: cpu) }
    sched_yield()
  }
}

extension Plant where Storage == ArenaStorage {
  /// Leaves a mark in a frame, at the thread's own place.
  fileprivate func mark(_ frame: FrameNumber, _ thread: Int, _ mark: UInt64) {
    try? machine.contents?.withMutableBytes(of: frame) { bytes in
      for byte in 0..<8 { bytes[thread * 8 + byte] = UInt8(truncatingIfNeeded: mark >> UInt64(byte * 8)) }
    }
  }

  fileprivate func mark(of frame: FrameNumber, _ thread: Int) -> UInt64 {
    let mark = try? machine.contents?.withBytes(of: frame) { bytes in
      (0..<8).reduce(UInt64(0)) { $0 | UInt64(bytes[thread * 8 + $1]) << UInt64($1 * 8) }
    }
    return mark ?? 0
  }
}
