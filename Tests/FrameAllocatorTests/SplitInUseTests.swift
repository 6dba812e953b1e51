import FrameAllocator
import FrameMap
import MemoryUnits
import Synchronization
import TestSupport
import Testing

/// Folios that are taken apart while frames of them are pinned.
@Suite struct SplitInUseTests {
  private let cpu = CPUIndex(0)

  private func fixture(_ model: MemoryModel, _ frames: UInt64 = 4096) throws -> MachineFixture {
    try MachineFixture(model, memory: [FrameRange(start: FrameNumber(0), end: FrameNumber(frames))], cpus: 4)
  }

  /// A folio that its owner maps by `entries` entries for each part of `order`; one reference each, none else.
  private func mapped(_ order: Order, by parts: [UInt32], in machine: MachineFixture) throws -> FolioPlace {
    let folio = try machine.zone.allocate(order, .movable, on: cpu)
    let descriptor = try #require(machine.table.descriptor(folio.head))
    let place = FolioPlace(head: folio.head, order: folio.order)
    let sum = parts.reduce(0, +)
    descriptor.pointee.take(.references(sum))
    descriptor.pointee.mapCount.store(sum, ordering: .relaxed)
    descriptor.pointee.privateWord.store(7, ordering: .relaxed)
    descriptor.pointee.privateIndex.store(1000, ordering: .relaxed)
    return place
  }

  /// Ends what entries held of a folio.
  private func unmap(_ head: FrameNumber, _ entries: UInt32, in machine: MachineFixture) throws {
    let descriptor = try #require(machine.table.descriptor(head))
    descriptor.pointee.mapCount.wrappingSubtract(entries, ordering: .relaxed)
    for _ in 0..<entries { machine.zone.put(head, on: cpu) }
  }

  private func pin(_ part: FrameRange, in machine: MachineFixture) throws {
    let folio = try machine.zone.folio(containing: part.start)
    #expect(machine.zone.pin(part, of: folio, on: cpu, pause: {}, while: { true }) == .done)
  }

  private func unpin(_ range: FrameRange, in machine: MachineFixture) {
    var start = range.start
    while start < range.end {
      let done = machine.zone.unpin(FrameRange(start: start, end: range.end), on: cpu, pause: {})
      #expect(done.outcome == .done || done.outcome == .last)
      start = done.frames.end
    }
  }

  /// The pins of each frame: `.` for none, else a digit, `*` above nine.
  private func pinMap(_ range: FrameRange, in machine: MachineFixture) -> String {
    var text = ""
    var frame = range.start
    while frame < range.end {
      let pins = machine.zone.pins(on: frame, pause: {})
      text += pins == 0 ? "." : pins > 9 ? "*" : String(pins)
      frame += FrameCount(1)
    }
    return text
  }

  @Test(arguments: MemoryModel.allCases) func pinsStayOnTheirFrames(model: MemoryModel) throws {
    let machine = try fixture(model)
    let folio = try mapped(Order(3), by: [1], in: machine)
    let frame = { folio.head + FrameCount($0) }
    try pin(FrameRange(start: frame(2), end: frame(5)), in: machine)
    try pin(folio.frames, in: machine)
    try pin(FrameRange(start: frame(4), end: frame(5)), in: machine)
    #expect(pinMap(folio.frames, in: machine) == "11223111")
    // A part of what was pinned as a whole.
    unpin(FrameRange(start: frame(0), end: frame(2)), in: machine)
    unpin(FrameRange(start: frame(7), end: frame(8)), in: machine)
    #expect(pinMap(folio.frames, in: machine) == "..22311.")
    try machine.zone.checkInvariants()
    try machine.zone.split(inUse: folio, to: Order(1), entries: [1, 0, 0, 0], references: 1, on: cpu, pause: {})
    #expect(pinMap(folio.frames, in: machine) == "..22311.")
    let orders = try [0, 2, 4, 6].map { try machine.zone.folio(containing: frame($0)).order }
    #expect(orders == [Order(1), Order(1), Order(1), Order(1)])
    try machine.zone.checkInvariants()
    unpin(FrameRange(start: frame(2), end: frame(7)), in: machine)
    #expect(pinMap(folio.frames, in: machine) == "..112...")
    unpin(FrameRange(start: frame(2), end: frame(5)), in: machine)
    unpin(FrameRange(start: frame(4), end: frame(5)), in: machine)
    // What was neither pinned nor mapped any more went by itself.
    #expect(throws: FolioError.notAllocated(frame(3))) { try machine.zone.folio(containing: frame(3)) }
    try unmap(folio.head, 1, in: machine)
    try machine.finish()
  }

  /// k pins on random frames, for each k from 0 to 512; the map of pins is the same before and after.
  @Test(arguments: MemoryModel.allCases) func anyNumberOfPins(model: MemoryModel) throws {
    let machine = try fixture(model)
    for count in 0...512 {
      var random = SplitMix(seed: UInt64(count))
      let parts = [UInt32](repeating: 1, count: 512)
      let folio = try mapped(Order(9), by: parts, in: machine)
      var pinned: [FrameNumber] = []
      for _ in 0..<count {
        let frame = folio.head + FrameCount(UInt64.random(in: 0..<512, using: &random))
        try pin(FrameRange(start: frame, count: FrameCount(1)), in: machine)
        pinned.append(frame)
      }
      let before = pinMap(folio.frames, in: machine)
      var expected = [Int](repeating: 0, count: 512)
      for frame in pinned { expected[Int((frame - folio.head).rawValue)] += 1 }
      #expect(before == expected.map { $0 == 0 ? "." : $0 > 9 ? "*" : String($0) }.joined())
      try machine.zone.split(inUse: folio, to: Order(0), entries: parts, references: 1, on: cpu, pause: {})
      #expect(pinMap(folio.frames, in: machine) == before, "\(count) pins")
      if count % 64 == 0 { try machine.zone.checkInvariants() }
      for frame in pinned { unpin(FrameRange(start: frame, count: FrameCount(1)), in: machine) }
      for number in 0..<512 as Range<UInt64> { try unmap(folio.head + FrameCount(number), 1, in: machine) }
    }
    try machine.finish()
  }

  /// Random parts are pinned and given back, folios of all orders split to all orders, against an array of counts.
  @Test(arguments: MemoryModel.allCases, 0..<6 as Range<UInt64>) func againstAnOracle(model: MemoryModel, seed: UInt64) throws {
    let machine = try fixture(model, 8192)
    var random = SplitMix(seed: seed)
    for _ in 0..<40 {
      let order = Order(UInt8.random(in: 1...12, using: &random))
      let target = Order(UInt8.random(in: 0..<order.rawValue, using: &random))
      let size = order.frames.rawValue
      let parts = (0..<size / target.frames.rawValue).map { _ in UInt32.random(in: 0...2, using: &random) }
      let folio = try mapped(order, by: parts, in: machine)
      var counts = [Int](repeating: 0, count: Int(size))
      func change(_ steps: Int) throws {
        for _ in 0..<steps {
          // Whole folios, whole groups, and anything.
          let units: [UInt64] = [size, min(512, size), 1]
          let unit = units[Int.random(in: 0..<3, using: &random)]
          let start = UInt64.random(in: 0..<size / unit, using: &random) * unit
          let count = unit == 1 ? UInt64.random(in: 1...(size - start), using: &random) : unit
          let range = FrameRange(start: folio.head + FrameCount(start), count: FrameCount(count))
          let places = Int(start)..<Int(start + count)
          if Bool.random(using: &random) {
            var frame = range.start
            while frame < range.end {
              let own = try machine.zone.folio(containing: frame)
              try pin(own.frames.intersection(range), in: machine)
              frame = own.frames.end
            }
            for place in places { counts[place] += 1 }
          } else if places.allSatisfy({ counts[$0] > 0 }) {
            unpin(range, in: machine)
            for place in places { counts[place] -= 1 }
          } else {
            // Refused as far as one folio goes.
            let own = try machine.zone.folio(containing: range.start).frames.intersection(range)
            let last = Int((own.end - folio.head).rawValue)
            let least = counts[places.lowerBound..<last].min() ?? 0
            if least == 0 {
              #expect(machine.zone.unpin(own, on: cpu, pause: {}).outcome == .refused(pins: 0))
            }
          }
        }
      }
      try change(12)
      try machine.zone.checkInvariants()
      let text = { self.pinMap(folio.frames, in: machine) }
      let expected = { counts.map { $0 == 0 ? "." : $0 > 9 ? "*" : String($0) }.joined() }
      #expect(text() == expected())
      // Somebody's reference keeps it whole, and changes nothing.
      #expect(throws: FolioError.self) {
        try machine.zone.split(inUse: folio, to: target, entries: parts, references: 0, on: cpu, pause: {})
      }
      #expect(text() == expected())
      for number in parts.indices where parts[number] == 0 {
        // Parts that would go are kept, so that the map goes on.
        let start = number * Int(target.frames.rawValue)
        if counts[start..<start + Int(target.frames.rawValue)].allSatisfy({ $0 == 0 }) {
          try pin(FrameRange(start: folio.head + FrameCount(UInt64(start)), count: FrameCount(1)), in: machine)
          counts[start] = 1
        }
      }
      try machine.zone.split(inUse: folio, to: target, entries: parts, references: 1, on: cpu, pause: {})
      try machine.zone.checkInvariants()
      #expect(text() == expected(), "order \(order) to \(target)")
      for place in counts.indices {
        let frame = folio.head + FrameCount(UInt64(place))
        while counts[place] > 0 {
          unpin(FrameRange(start: frame, count: FrameCount(1)), in: machine)
          counts[place] -= 1
        }
      }
      for (number, entries) in parts.enumerated() where entries > 0 {
        try unmap(folio.head + target.frames * UInt64(number), entries, in: machine)
      }
    }
    try machine.finish()
  }

  /// Orders whose starts the head map marks in ways of their own, beside a neighbour that stays whole.
  @Test(
    arguments: MemoryModel.allCases,
    [(6, 0), (7, 0), (12, 0), (12, 5), (16, 3), (12, 7), (14, 9), (15, 9), (19, 9), (19, 12), (19, 18)] as [(UInt8, UInt8)])
  func partsAreFoundByEachFrame(model: MemoryModel, orders: (UInt8, UInt8)) throws {
    let machine = try fixture(model, 1 << 21)
    let (order, target) = (Order(orders.0), Order(orders.1))
    let count = order.frames / target.frames
    // Of three the middle one is split, so that starts lie on both sides.
    let folios = try (0..<3).map { _ in try mapped(order, by: [1], in: machine) }.sorted { $0.head < $1.head }
    let middle = folios[1]
    let descriptor = try #require(machine.table.descriptor(middle.head))
    descriptor.pointee.take(.references(UInt32(count) - 1))
    descriptor.pointee.mapCount.store(UInt32(count), ordering: .relaxed)
    let entries = [UInt32](repeating: 1, count: Int(count))
    try machine.zone.split(inUse: middle, to: target, entries: entries, references: 1, on: cpu, pause: {})
    try machine.zone.checkInvariants()
    for number in 0..<count {
      let head = middle.head + target.frames * number
      let part = FolioPlace(head: head, order: target)
      let last = try machine.zone.folio(containing: head + target.frames - FrameCount(1))
      let first = try machine.zone.folio(containing: head)
      #expect(first == part && last == part)
      let index = try #require(machine.table.descriptor(head)).pointee.privateIndex.load(ordering: .relaxed)
      #expect(index == 1000 + UInt32((head - middle.head).rawValue))
      try unmap(head, 1, in: machine)
    }
    for folio in [folios[0], folios[2]] {
      let last = try machine.zone.folio(containing: folio.frames.end - FrameCount(1))
      #expect(last == folio)
      try unmap(folio.head, 1, in: machine)
      machine.zone.put(folio.head, on: cpu)
    }
    try machine.finish()
  }

  @Test func whatIsWrong() throws {
    let machine = try fixture(.vmemmap)
    let folio = try mapped(Order(4), by: [2], in: machine)
    let zone = machine
    #expect(throws: FolioError.notSmaller(Order(4), than: Order(4))) {
      try zone.zone.split(inUse: folio, to: Order(4), entries: [2], references: 1, on: cpu, pause: {})
    }
    #expect(throws: FolioError.busy(folio.head, .references(3), mappings: 2)) {
      try zone.zone.split(inUse: folio, to: Order(0), entries: [1], references: 1, on: cpu, pause: {})
    }
    #expect(throws: FolioError.wrongOrder(said: Order(5), is: Order(4))) {
      try zone.zone.split(
        inUse: FolioPlace(head: folio.head, order: Order(5)), to: Order(0), entries: [2], references: 1, on: cpu, pause: {})
    }
    let tail = FrameRange(start: folio.head + FrameCount(3), count: FrameCount(1))
    #expect(zone.zone.unpin(tail, on: cpu, pause: {}).outcome == .refused(pins: 0))
    #expect(zone.zone.pin(tail, of: folio, on: cpu, pause: {}, while: { false }) == .gone)
    let gone = FolioPlace(head: folio.head, order: Order(3))
    #expect(zone.zone.pin(tail, of: gone, on: cpu, pause: {}, while: { true }) == .gone)
    try unmap(folio.head, 2, in: machine)
    machine.zone.put(folio.head, on: cpu)
    #expect(zone.zone.unpin(tail, on: cpu, pause: {}).outcome == .unreferenced)
    try machine.finish()
  }
}
