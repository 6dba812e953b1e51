import FrameAllocator
import FrameMap
import MemoryUnits
import TestSupport
import Testing

private let cpu = CPUIndex(0)

@Suite struct FolioTests {
  /// A folio above the section's order: its descriptors lie apart in the scattered models, and only its head is written.
  @Test(arguments: MemoryModel.allCases) func aGiganticFolioWritesOneDescriptor(model: MemoryModel) throws {
    let machine = try MachineFixture(model, memory: [frames(0, 8192)])
    let folio = try machine.zone.allocate(Order(12), .movable, on: cpu)
    let range = folio.frames
    #expect(range.count == FrameCount(4096))
    var written = 0
    for frame in range.start.rawValue..<range.end.rawValue {
      let descriptor = try #require(machine.table.descriptor(FrameNumber(frame)))
      let counts = descriptor.pointee.countsWord.load(ordering: .relaxed)
      let shape = descriptor.pointee.shapeWord.load(ordering: .relaxed)
      if counts != 0 || shape != 0 { written += 1 }
    }
    #expect(written == 1)
    for frame in [range.start, range.start + FrameCount(1), range.end - FrameCount(1)] {
      #expect(try machine.zone.folio(containing: frame) == FolioPlace(head: range.start, order: Order(12)))
    }
    try machine.zone.checkInvariants()
    machine.zone.free(folio, on: cpu)
    try machine.finish()
  }

  @Test(arguments: MemoryModel.allCases) func misuseIsToldAndChangesNothing(model: MemoryModel) throws {
    let machine = try MachineFixture(model, memory: [frames(0, 2048), frames(3072, 4096)])
    let zone = machine
    let folio = try zone.zone.allocate(Order(4), .unmovable, on: cpu)
    let head = folio.head
    let inside = head + FrameCount(3)
    func refusal(_ head: FrameNumber, _ order: Order) -> FolioError? {
      do throws(FolioError) {
        try zone.zone.free(at: head, order: order, on: cpu)
        return nil
      } catch {
        return error
      }
    }
    #expect(refusal(inside, Order(4)) == .tail(inside, head: head))
    #expect(refusal(head, Order(3)) == .wrongOrder(said: Order(3), is: Order(4)))
    #expect(refusal(FrameNumber(4096), Order(0)) == .noSuchFrame(FrameNumber(4096)))
    #expect(refusal(FrameNumber(1024), Order(0)) == .notAllocated(FrameNumber(1024)))
    #expect(refusal(FrameNumber(2100), Order(0)) == .notAllocated(FrameNumber(2100)))
    let shared = try zone.zone.tryGet(inside, on: cpu)
    #expect(refusal(head, Order(4)) == .busy(head, .references(2), mappings: 0))
    zone.zone.put(shared.head, on: cpu)
    try zone.zone.checkInvariants()
    zone.zone.free(folio, on: cpu)
    #expect(refusal(head, Order(4)) == .notAllocated(head))
    try machine.finish()
  }

  @Test func policyAndExhaustionCarryNumbers() throws {
    let machine = try MachineFixture(.vmemmap, memory: [frames(0, 1024)], topOrder: Order(8))
    func refusal(_ order: Order) -> FolioError? {
      do throws(FolioError) {
        machine.zone.free(try machine.zone.allocate(order, .movable, on: cpu), on: cpu)
        return nil
      } catch {
        return error
      }
    }
    #expect(refusal(Order(9)) == .aboveTopOrder(Order(9), top: Order(8)))
    #expect(refusal(Order(8)) == nil)
    try machine.zone.claim(frames(0, 255))
    try machine.zone.claim(frames(256, 1023))
    #expect(refusal(Order(1)) == .exhausted(wanted: FrameCount(2), largestFree: FrameCount(1)))
    try machine.zone.release(frames(0, 255))
    try machine.zone.release(frames(256, 1023))
    try machine.finish()
  }

  @Test(arguments: MemoryModel.allCases) func aSplitHandsOutItsParts(model: MemoryModel) throws {
    let machine = try MachineFixture(model, memory: [frames(0, 4096)])
    let folio = try machine.zone.allocate(Order(11), .movable, on: cpu)
    let head = folio.head
    var parts: [FrameNumber] = []
    try machine.zone.split(folio, to: Order(8)) { parts.append($0.head) }
    #expect(parts == (0..<8).map { head + FrameCount(256 * $0) })
    for part in parts {
      #expect(try machine.zone.folio(containing: part + FrameCount(255)) == FolioPlace(head: part, order: Order(8)))
    }
    #expect(try machine.zone.checkInvariants() == FrameCount(2048))
    for part in parts { machine.zone.free(try machine.zone.adopt(part), on: cpu) }
    try machine.finish()
  }

  @Test func aSplitThatIsRefusedLeavesTheFolioWhole() throws {
    let machine = try MachineFixture(.sparse, memory: [frames(0, 2048)])
    let folio = try machine.zone.allocate(Order(10), .movable, on: cpu)
    let head = folio.head
    _ = try machine.zone.tryGet(head + FrameCount(700), on: cpu)
    do throws(FolioError) {
      try machine.zone.split(folio, to: Order(0)) { _ in Issue.record("handed out a part") }
      Issue.record("split a folio that others use")
    } catch {
      #expect(error == .busy(head, .references(2), mappings: 0))
    }
    machine.zone.put(head, on: cpu)
    machine.zone.free(try machine.zone.adopt(head), on: cpu)
    try machine.finish()
  }

  /// Mixed orders against an array of owners, over layouts with holes, in every model.
  @Test(arguments: MemoryModel.allCases, [1, 2, 3, 4] as [UInt64])
  func randomLivesAgreeWithAnArray(model: MemoryModel, seed: UInt64) throws {
    var random = SplitMix(seed: seed)
    let memory = [frames(64, 1536), frames(2048, 2048 + 64 * UInt64.random(in: 1...8, using: &random)), frames(4096, 8192)]
    let machine = try MachineFixture(model, memory: memory)
    var owner: [UInt64: UInt64] = [:]
    var held: [(head: FrameNumber, order: Order)] = []
    for step in 0..<3000 {
      if held.isEmpty || Int.random(in: 0..<100, using: &random) < 55 {
        let order = Order(UInt8.random(in: 0...([0, 0, 0, 3, 9, 12].randomElement(using: &random) ?? 0), using: &random))
        let mobility = FrameMobility.allCases.randomElement(using: &random) ?? .movable
        guard let folio = try? machine.zone.allocate(order, mobility, on: cpu) else { continue }
        #expect(memory.contains { $0.contains(folio.frames) }, "seed \(seed), step \(step)")
        for frame in folio.frames.start.rawValue..<folio.frames.end.rawValue {
          #expect(owner.updateValue(folio.head.rawValue, forKey: frame) == nil, "seed \(seed), step \(step)")
        }
        held.append((folio.head, folio.order))
      } else {
        let (head, order) = held.swapRemove(at: Int.random(in: 0..<held.count, using: &random))
        try machine.zone.free(at: head, order: order, on: cpu)
        for frame in head.rawValue..<(head + order.frames).rawValue { owner[frame] = nil }
      }
      if step % 50 == 0 {
        let frame = FrameNumber(UInt64.random(in: 64..<8192, using: &random))
        #expect((try? machine.zone.folio(containing: frame))?.head.rawValue == owner[frame.rawValue])
      }
      if step % 500 == 0 { #expect(try machine.zone.checkInvariants().rawValue == UInt64(owner.count)) }
    }
    for (head, order) in held { try machine.zone.free(at: head, order: order, on: cpu) }
    try machine.finish()
  }
}

extension Array {
  fileprivate mutating func swapRemove(at index: Int) -> Element {
    swapAt(index, count - 1)
    return removeLast()
  }
}
