import Foundation
import FrameAllocator
import FrameMap
import MemoryUnits
import Mobility
import PhysicalLayout
import Testing

@testable import Lab

/// What keeps clients' folios, against what could not be simpler.
struct EngineStructureTests {
  /// Links of slots are kept by whoever uses a wheel.
  private struct Links {
    var next: [UInt32: UInt32] = [:]
    var due: [UInt32: UInt32] = [:]
  }

  @Test(arguments: [1, 2, 3] as [UInt64])
  func aWheelIsASortedList(_ seed: UInt64) {
    var random = LabRandom(seed: seed, stream: 1)
    var wheel = TimeWheel()
    var links = Links()
    var sorted: [UInt32: Set<UInt32>] = [:]
    var number: UInt32 = 0
    for tick in 1...150_000 as ClosedRange<UInt32> {
      var slot = wheel.advance { wheel, first in
        var slot = first
        while slot != TimeWheel.none {
          let next = links.next[slot] ?? TimeWheel.none
          links.next[slot] = wheel.insert(slot, due: links.due[slot] ?? 0)
          slot = next
        }
      }
      var found: Set<UInt32> = []
      while slot != TimeWheel.none {
        found.insert(slot)
        slot = links.next[slot] ?? TimeWheel.none
      }
      let expected = sorted.removeValue(forKey: tick) ?? []
      if found != expected {
        Issue.record("tick \(tick): \(found), and not \(expected)")
        return
      }
      guard random.below(16) == 0 else { continue }
      // As often near as far, and at the borders of the three lengths.
      let ahead: [UInt64] = [1 + random.below(300), 250 + random.below(12), 65_530 + random.below(12), 1 + random.below(140_000)]
      let due = tick + UInt32(ahead[Int(random.below(4))])
      links.due[number] = due
      links.next[number] = wheel.insert(number, due: due)
      sorted[due, default: []].insert(number)
      number += 1
    }
    #expect(number > 8_000)
  }

  @Test(arguments: [1, 2, 3] as [UInt64])
  func slotsAreADictionary(_ seed: UInt64) {
    struct Held: Hashable {
      var place: FolioPlace
      var due: UInt32?
    }
    var random = LabRandom(seed: seed, stream: 1)
    let slots = FolioSlots()
    var held: [UInt32: Held] = [:]
    var staying: [UInt32] = []
    var now: UInt32 = 0
    var head: UInt64 = 0
    // Also slots that are empty by now.
    var known: [UInt32] = []
    func compare() {
      var found: [UInt32: FolioPlace] = [:]
      slots.forEach { found[$0] = $1 }
      #expect(found == held.mapValues(\.place))
      #expect(slots.staying() == staying)
      #expect(slots.count == FolioTally(UInt64(held.count)))
      #expect(slots.frames == held.values.reduce(.zero) { $0 + $1.place.order.frames })
    }
    for round in 0..<8_000 {
      switch random.below(8) {
      case 0...3:
        let order = Order(UInt8(random.below(10)))
        let place = FolioPlace(head: FrameNumber(head << 9), order: order)
        head += 1
        let ticks = random.below(3) == 0 ? nil : UInt32(1 + random.below(600))
        let slot = slots.insert(place, livingFor: ticks)
        #expect(held[slot] == nil)
        held[slot] = Held(place: place, due: ticks.map { now + $0 })
        known.append(slot)
        if known.count > 500 { known.removeFirst(250) }
        if ticks == nil { staying.append(slot) }
      case 4:
        guard let slot = known.randomElement(using: &random), var one = held[slot] else { continue }
        one.place = FolioPlace(head: FrameNumber(head << 9), order: one.place.order)
        head += 1
        slots.move(slot, to: one.place.head)
        held[slot] = one
      case 5:
        guard let slot = known.randomElement(using: &random), held[slot] != nil else { continue }
        #expect(slots.remove(slot) == held[slot]?.place)
        held[slot] = nil
        staying.removeAll { $0 == slot }
      case 6:
        let place = slots.popOldest()
        #expect(place == staying.first.flatMap { held[$0]?.place })
        if !staying.isEmpty { held[staying.removeFirst()] = nil }
      default:
        now += 1
        var died: Set<FolioPlace> = []
        slots.advance { died.insert($0) }
        let due = held.filter { $0.value.due == now }
        #expect(died == Set(due.values.map(\.place)))
        for slot in due.keys { held[slot] = nil }
      }
      if round % 1_000 == 0 { compare() }
    }
    compare()
  }

  /// Mean lifetimes by their formulas, in seconds, with ticks of a second.
  private static let lifetimes: [(Lifetime, Double)] = [
    (.fixed(Seconds(90)), 90), (.uniform(Seconds(10), Seconds(200)), 105), (.exponential(mean: Seconds(60)), 60),
    (.exponential(mean: Seconds(3600)), 3600),
    (.pareto(least: Seconds(30), hundredths: 150, most: Seconds(3600)), pareto(30, 1.5, 3600)),
    (.pareto(least: Seconds(30), hundredths: 100, most: Seconds(86_400)), 30 + 30 * log(86_400 / 30)),
    (.pareto(least: Seconds(20), hundredths: 60, most: Seconds(7200)), pareto(20, 0.6, 7200)),
  ]

  /// The mean of what is at least `least`, falls off with `shape`, and is cut at `most`.
  private static func pareto(_ least: Double, _ shape: Double, _ most: Double) -> Double {
    least + pow(least, shape) * (pow(most, 1 - shape) - pow(least, 1 - shape)) / (1 - shape)
  }

  @Test(arguments: lifetimes.indices) func lifetimesHaveTheirMean(_ number: Int) {
    let (lifetime, mean) = Self.lifetimes[number]
    var random = LabRandom(seed: 9, stream: UInt64(number))
    var sum = 0.0
    let count = 100_000
    for _ in 0..<count { sum += Double(random.draw(lifetime, tick: Seconds(1)) ?? 0) }
    let found = sum / Double(count)
    #expect(abs(found - mean) < mean * 0.03, "\(found), and not \(mean)")
  }

  @Test func whatStaysHasNoEnd() {
    var random = LabRandom(seed: 1, stream: 1)
    #expect(random.draw(.forever, tick: Seconds(1)) == nil)
    #expect(random.draw(.fixed(Seconds(1)), tick: Seconds(60)) == 1)
    #expect(random.draw(.fixed(Seconds(.max)), tick: Seconds(1)) == TimeWheel.horizon)
  }

  /// Compaction and contiguous ranges move folios of clients: each slot leads to its folio, and each folio to its slot.
  @Test(arguments: MemoryModel.allCases) func slotsFindWhatMoved(_ model: MemoryModel) throws {
    let runner = try EngineFixture.runner(
      """
      machine: {memory: 128M, kernel: 16M, model: \(model)}
      clients:
        heap: {sizes: {4K: 6, 16K: 2, 64K: 1}, lifetime: {exponential: {mean: 10m}}}
        stack: {sizes: 4K}
        wanted: {sizes: 8M}
      steps:
        - allocate: {client: heap, amount: 50M}
        - allocate: {client: stack, amount: 40M}
        - free: {client: heap, share: 50%}
        - free: {client: stack, share: 50%}
      """)
    try checkSlots(runner.engine)
    var moved = runner.engine.tally.moved
    for text in [
      "compact: zone", "allocate: {client: wanted, amount: 8M, contiguous: true}", "run: 5m", "compact: 2M",
      "allocate: {client: wanted, amount: 8M, contiguous: true}",
    ] {
      try EngineFixture.perform(text, on: runner, clients: ["heap", "stack", "wanted"])
      try checkSlots(runner.engine)
      if text == "compact: zone" {
        #expect(runner.engine.tally.moved > moved, "nothing moved")
        moved = runner.engine.tally.moved
      }
    }
    #expect(runner.engine.client("wanted")?.slots.count == FolioTally(2))
    runner.engine.finish()
  }

  private func checkSlots(_ engine: LabEngine, _ location: SourceLocation = #_sourceLocation) throws {
    var wrong = 0
    for client in engine.clients {
      client.slots.forEach { slot, place in
        let folio = try? engine.lab.machine.zones.folio(containing: place.head)
        let owner = engine.owner.owner(of: place.head)
        if folio != place || owner?.client !== client || owner?.slot != slot { wrong += 1 }
      }
    }
    #expect(wrong == 0, sourceLocation: location)
    do { try engine.lab.machine.checkInvariants() } catch { Issue.record("\(error)", sourceLocation: location) }
  }
}
