import FrameAllocator
import FrameMap
import MemoryUnits
import PhysicalLayout
import Synchronization
import TestSupport
import Testing

/// What the frames hold: plain memory, so that the thread sanitizer sees whether a frame's owners come one after the other.
final class FrameNotes: Sendable {
  // Written by a frame's owner alone, which is what the tests are about.
  nonisolated(unsafe) private let notes: UnsafeMutablePointer<UInt32>

  init(_ end: FrameNumber) {
    notes = .allocate(capacity: Int(end.rawValue))
    notes.initialize(repeating: 0, count: Int(end.rawValue))
  }

  deinit { notes.deallocate() }

  /// Of a large block the ends and some frames between.
  private func places(_ range: FrameRange) -> [Int] {
    let step = max(1, range.count.rawValue / 16)
    return (0..<min(16, range.count.rawValue)).map { Int(range.start.rawValue + $0 * step) } + [Int(range.end.rawValue - 1)]
  }

  /// False where somebody else's note is there.
  func write(_ range: FrameRange, _ thread: Int) -> Bool {
    var wasFree = true
    for place in Set(places(range)) {
      if notes[place] != 0 { wasFree = false }
      notes[place] = UInt32(thread + 1)
    }
    return wasFree
  }

  /// False where somebody else wrote.
  func erase(_ range: FrameRange, _ thread: Int) -> Bool {
    var wasOwn = true
    for place in Set(places(range)) {
      if notes[place] != UInt32(thread + 1) { wasOwn = false }
      notes[place] = 0
    }
    return wasOwn
  }
}

/// Threads over zones. Run them under the thread sanitizer: `swift test --sanitize=thread --filter ThreadTests`.
@Suite(.serialized) struct ZoneThreadTests {
  static let policies = [
    PageblockPolicy(order: Order(9)), PageblockPolicy(order: Order(5), groupOrder: Order(8)),
    PageblockPolicy(order: Order(9), groupOrder: Order(11), fallback: .never),
  ]

  /// Random requests of all kinds, frees, strangers' references, claims and drains; ends balanced.
  @Test(arguments: [2, 4, 8], policies) func mixedWorkEndsBalanced(threads: Int, policy: PageblockPolicy) throws {
    let set = try ZoneSetFixture(
      [
        (NodeID(0), .dma, FrameCount(1500)), (NodeID(0), .normal, FrameCount(6000)), (NodeID(1), .normal, FrameCount(4096)),
        (NodeID(1), .movable, FrameCount(3000)),
      ], minimum: FrameCount(200), cpus: UInt32(threads), policy: policy)
    let notes = FrameNotes(FrameNumber(4 << 18))
    let faults = Tally()
    let served = Tally()
    concurrently(threads) { thread in
      var work = ZoneWork(set, notes, thread)
      for _ in 0..<2000 { work.step() }
      work.finish()
      faults.add(work.faults)
      served.add(work.served)
    }
    #expect(faults.value == 0)
    #expect(served.value > threads * 500)
    try set.finish()
  }

  /// Every thread holds one small block at a time, and nearly all is free: nobody may be told that nothing is left, though threads
  /// carve the same pageblocks, steal them from each other and let them coalesce.
  @Test(arguments: [2, 4, 8], [3, 6, 9, 11] as [UInt8]) func carvingIsNotExhaustion(threads: Int, order: UInt8) throws {
    for group in [nil, Order(order + 2)] {
      let set = try ZoneSetFixture(
        [(NodeID(0), .normal, FrameCount(UInt64(16) << UInt64(order)))], cpus: UInt32(threads),
        policy: PageblockPolicy(order: Order(order), groupOrder: group))
      set.zones[ZoneIndex(0)].setWatermarks(.none)
      let faults = Tally()
      concurrently(threads) { thread in
        var random = SplitMix(seed: UInt64(thread) + UInt64(order) << 8)
        for _ in 0..<2500 {
          // From 1 on: single frames lie in caches, where others cannot have them.
          let order = Order(UInt8.random(in: 1..<order, using: &random))
          let mobility = [FrameMobility.unmovable, .reclaimable, .movable].randomElement(using: &random) ?? .movable
          do throws(FolioError) {
            set.zones.free(
              try set.zones.allocate(order, FrameRequest(mobility), on: CPUIndex(UInt32(thread))), on: CPUIndex(UInt32(thread)))
          } catch {
            faults.add(1)
          }
        }
      }
      #expect(faults.value == 0)
      try set.finish()
    }
  }

  /// The only pageblock of a zone: while one thread has all of it in hand, to keep a small part and put the rest back, nothing is to
  /// be found, and everybody waits.
  @Test(arguments: [2, 4, 8], [6, 9, 11] as [UInt8]) func aPageblockInHandIsWaitedFor(threads: Int, order: UInt8) throws {
    let set = try ZoneSetFixture(
      [(NodeID(0), .normal, FrameCount(UInt64(1) << UInt64(order)))], cpus: UInt32(threads),
      policy: PageblockPolicy(order: Order(order)))
    let zone = ZoneIndex(0)
    let faults = Tally()
    concurrently(threads) { thread in
      let cpu = CPUIndex(UInt32(thread))
      for step in 0..<6000 {
        // Of 16 blocks each thread has one at most.
        let mobility = [FrameMobility.unmovable, .reclaimable, .movable][(step + thread) % 3]
        do throws(FolioError) {
          set.zones[zone].free(try set.zones[zone].allocate(Order(order - 4), mobility, on: cpu), on: cpu)
        } catch {
          faults.add(1)
        }
      }
    }
    #expect(faults.value == 0)
    try set.finish()
  }

  /// The same where pageblocks are torn: each has a frame that is held, so that every request steals or pollutes.
  @Test(arguments: [2, 4, 8]) func stealingIsNotExhaustion(threads: Int) throws {
    let set = try ZoneSetFixture(
      [(NodeID(0), .normal, FrameCount(16 << 5))], cpus: UInt32(threads), policy: PageblockPolicy(order: Order(5)))
    set.zones[ZoneIndex(0)].setWatermarks(.none)
    var torn: [FrameNumber] = []
    for pageblock in 0..<16 as Range<UInt64> {
      let zone = ZoneIndex(0)
      torn.append(try set.zones[zone].claimFolio(at: FrameNumber(pageblock << 5 + 7), order: Order(0), .movable).head)
    }
    let faults = Tally()
    concurrently(threads) { thread in
      var random = SplitMix(seed: UInt64(thread))
      for _ in 0..<6000 {
        let order = Order(UInt8.random(in: 1...3, using: &random))
        let mobility = [FrameMobility.unmovable, .reclaimable, .movable].randomElement(using: &random) ?? .movable
        do throws(FolioError) {
          set.zones.free(
            try set.zones.allocate(order, FrameRequest(mobility), on: CPUIndex(UInt32(thread))), on: CPUIndex(UInt32(thread)))
        } catch {
          faults.add(1)
        }
      }
    }
    #expect(faults.value == 0)
    for frame in torn { try set.zones.free(at: frame, order: Order(0), on: CPUIndex(0)) }
    try set.finish()
  }

  /// Single frames while another thread does nothing but drain: what caches and threads keep is a small part of the zone.
  @Test func drainsDoNotExhaust() throws {
    let set = try ZoneSetFixture([(NodeID(0), .normal, FrameCount(8192))], cpus: 4)
    set.zones[ZoneIndex(0)].setWatermarks(.none)
    let notes = FrameNotes(FrameNumber(8192))
    let faults = Tally()
    let running = Tally(4)
    concurrently(5) { thread in
      guard thread < 4 else {
        while running.value > 0 { set.zones.drain() }
        return
      }
      let cpu = CPUIndex(UInt32(thread))
      var random = SplitMix(seed: UInt64(thread))
      var held: [FrameNumber] = []
      for _ in 0..<10_000 {
        if held.count < 16, Bool.random(using: &random) {
          let mobility = FrameMobility.allCases.randomElement(using: &random) ?? .movable
          do throws(FolioError) {
            let folio = try set.zones.allocate(Order(0), FrameRequest(mobility), on: cpu)
            if !notes.write(folio.frames, thread) { faults.add(1) }
            held.append(folio.head)
          } catch {
            // Contiguous areas find no room among others.
            if mobility != .contiguous { faults.add(1) }
          }
        } else if let head = held.popLast() {
          if !notes.erase(FrameRange(blockAt: head, order: Order(0)), thread) { faults.add(1) }
          do { try set.zones.free(at: head, order: Order(0), on: cpu) } catch { faults.add(1) }
        }
      }
      for head in held {
        _ = notes.erase(FrameRange(blockAt: head, order: Order(0)), thread)
        do { try set.zones.free(at: head, order: Order(0), on: cpu) } catch { faults.add(1) }
      }
      running.add(-1)
    }
    #expect(faults.value == 0)
    try set.finish()
  }

  /// Two torn pageblocks that three mobilities take from each other all the time: a request that looks at one mobility's after the
  /// other's may pass both by, and has to look again.
  @Test(arguments: [2, 3, 8]) func marksThatChangeHideNothing(threads: Int) throws {
    let set = try ZoneSetFixture(
      [(NodeID(0), .normal, FrameCount(2 << 5))], cpus: UInt32(threads), policy: PageblockPolicy(order: Order(5)))
    set.zones[ZoneIndex(0)].setWatermarks(.none)
    let torn = [FrameNumber(7), FrameNumber(39)]
    for frame in torn { _ = try set.zones[ZoneIndex(0)].claimFolio(at: frame, order: Order(0), .movable).head }
    let faults = Tally()
    concurrently(threads) { thread in
      let cpu = CPUIndex(UInt32(thread))
      for step in 0..<8000 {
        let mobility = [FrameMobility.unmovable, .reclaimable, .movable][(step + thread) % 3]
        // Of 16 blocks of 4 frames 14 can be had, and every thread has one at most.
        let order = Order(step % 5 == 0 ? 1 : 2)
        do throws(FolioError) {
          set.zones.free(try set.zones.allocate(order, FrameRequest(mobility), on: cpu), on: cpu)
        } catch {
          faults.add(1)
        }
      }
    }
    #expect(faults.value == 0)
    let counts = set.zones[ZoneIndex(0)].pageblockCounts
    #expect(counts.stolen > 4000)
    for frame in torn { try set.zones.free(at: frame, order: Order(0), on: CPUIndex(0)) }
    try set.finish()
  }

  /// A request that nobody can serve gets its answer while others carve and merge without a pause.
  @Test(arguments: [2, 4]) func refusalsComeInTheEnd(threads: Int) throws {
    let set = try ZoneSetFixture(
      [(NodeID(0), .normal, FrameCount(1 << 14))], cpus: UInt32(threads), policy: PageblockPolicy(order: Order(9)))
    set.zones[ZoneIndex(0)].setWatermarks(.none)
    let obstacle = try set.zones[ZoneIndex(0)].claimFolio(at: FrameNumber(5), order: Order(0), .movable)
    let wanted = 300
    let answers = Tally()
    let wrong = Tally()
    let others = Tally()
    concurrently(threads) { thread in
      let cpu = CPUIndex(UInt32(thread))
      guard thread > 0 else {
        while others.value < threads - 1 {}
        while answers.value < wanted {
          do throws(FolioError) {
            set.zones.free(try set.zones.allocate(Order(14), FrameRequest(.unmovable), on: cpu), on: cpu)
            wrong.add(1)
          } catch {
            answers.add(1)
          }
        }
        return
      }
      others.add(1)
      // An end, for the case that the other one never gets there.
      for step in 0..<1_000_000 where answers.value < wanted {
        // Each of them takes a wholly free pageblock apart, or becomes one again.
        let order = Order(UInt8(1 + step % 8))
        if let folio = try? set.zones.allocate(order, FrameRequest(.movable), on: cpu) {
          set.zones.free(folio, on: cpu)
        } else {
          wrong.add(1)
        }
      }
      if answers.value < wanted { wrong.add(1) }
    }
    #expect(wrong.value == 0)
    set.zones.free(obstacle, on: CPUIndex(0))
    try set.finish()
  }
}

/// One thread's random steps over a set of zones.
private struct ZoneWork {
  let set: ZoneSetFixture
  let notes: FrameNotes
  let thread: Int
  private var random: SplitMix
  private var held: [(range: FrameRange, isClaim: Bool)] = []
  private(set) var faults = 0
  private(set) var served = 0

  init(_ set: ZoneSetFixture, _ notes: FrameNotes, _ thread: Int) {
    self.set = set
    self.notes = notes
    self.thread = thread
    random = SplitMix(seed: UInt64(thread) + 77)
  }

  private var cpu: CPUIndex { CPUIndex(UInt32(thread)) }

  mutating func step() {
    switch Int.random(in: 0..<100, using: &random) {
    case 0..<45: allocate()
    case ..<80: if !held.isEmpty { giveBack(.random(in: 0..<held.count, using: &random)) }
    case ..<90: look()
    case ..<94: claim()
    case ..<98: claimFolio()
    case 98: split()
    default: set.zones.drain()
    }
  }

  mutating func finish() { while !held.isEmpty { giveBack(held.count - 1) } }

  private mutating func keep(_ range: FrameRange, isClaim: Bool) {
    if !notes.write(range, thread) { faults += 1 }
    held.append((range, isClaim))
    served += 1
  }

  private mutating func allocate() {
    let order = Order(UInt8.random(in: 0...([0, 0, 3, 6, 9, 11].randomElement(using: &random) ?? 0), using: &random))
    let request = FrameRequest(
      FrameMobility.allCases.randomElement(using: &random) ?? .movable, node: NodeID(.random(in: 0...1, using: &random)),
      urgency: Urgency.allCases.randomElement(using: &random) ?? .ordinary)
    guard let folio = try? set.zones.allocate(order, request, on: cpu) else { return }
    keep(folio.frames, isClaim: false)
  }

  private mutating func giveBack(_ index: Int) {
    held.swapAt(index, held.count - 1)
    guard let (range, isClaim) = held.popLast(), let zone = set.zones.zone(of: range.start) else { return }
    if !notes.erase(range, thread) { faults += 1 }
    if isClaim {
      do { try set.zones[zone].release(range) } catch { faults += 1 }
    } else {
      // A stranger may have a reference; then the stranger frees it.
      set.zones.put(range.start, on: cpu)
    }
  }

  private mutating func anyFrame() -> FrameNumber {
    let zone = set.zones.descriptions.randomElement(using: &random)?.span ?? FrameRange(start: .zero, count: FrameCount(1))
    return FrameNumber(.random(in: zone.start.rawValue..<zone.end.rawValue, using: &random))
  }

  /// A stranger's reference, and its end.
  private mutating func look() {
    let frame = anyFrame()
    guard let place = try? set.zones.tryGet(frame, on: cpu) else { return }
    if !place.frames.contains(frame) { faults += 1 }
    set.zones.put(place.head, on: cpu)
  }

  private mutating func claim() {
    let start = anyFrame()
    guard let zone = set.zones.zone(of: start) else { return }
    let end = min(set.zones.descriptions[Int(zone.rawValue)].span.end, start + FrameCount(.random(in: 1...700, using: &random)))
    let range = FrameRange(start: start, end: end)
    do { try set.zones[zone].claim(range) } catch { return }
    keep(range, isClaim: true)
  }

  private mutating func claimFolio() {
    let order = Order(UInt8.random(in: 0...10, using: &random))
    let head = anyFrame().aligned(to: order.frames, .down)
    guard let zone = set.zones.zone(of: head), let folio = try? set.zones[zone].claimFolio(at: head, order: order, .movable)
    else { return }
    keep(folio.frames, isClaim: false)
  }

  private mutating func split() {
    guard let index = held.indices.last(where: { !held[$0].isClaim && held[$0].range.count > FrameCount(4) }) else { return }
    let range = held[index].range
    guard let whole = Order(exactly: range.count), let folio = try? set.zones.adopt(range.start) else {
      faults += 1
      return
    }
    var parts: [FrameRange] = []
    do throws(FolioError) {
      try set.zones.split(folio, to: Order(whole.rawValue - 2)) { parts.append($0.frames) }
    } catch {
      // Somebody looks at it.
      return
    }
    held.remove(at: index)
    if !notes.erase(range, thread) { faults += 1 }
    for part in parts { keep(part, isClaim: false) }
  }
}
