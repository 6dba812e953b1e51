import FrameAllocator
import FrameMap
import MemoryUnits
import Testing

/// A zone drawn as text, from frame 0 on, a word a pageblock: what the pageblock is for (`U` unmovable, `R` reclaimable, `M`
/// movable, `C` contiguous), then a character a frame: `.` free, `u` `r` `m` `c` held by a folio of that mobility, `x` no memory.
///
/// Every drawn folio is a single frame. Pageblocks that are to be other than movable must be memory throughout.
struct PageblockDrawing {
  let machine: MachineFixture
  private let order: Order
  private let span: FrameRange
  private var heads: [FrameNumber] = []

  static let letters: [(FrameMobility, Character, Character)] = [
    (.unmovable, "U", "u"), (.reclaimable, "R", "r"), (.movable, "M", "m"), (.contiguous, "C", "c"),
  ]

  init(
    _ drawing: String, order: UInt8, fallback: PageblockPolicy.Fallback = .stealOrPollute, groupOrder: UInt8? = nil
  ) throws {
    self.order = Order(order)
    let words = drawing.split(separator: " ")
    let characters = words.flatMap { $0.dropFirst(2) }
    let memory = Self.ranges(characters) { $0 != "x" }
    machine = try MachineFixture(
      .sparse, memory: memory,
      policy: PageblockPolicy(order: Order(order), groupOrder: groupOrder.map { Order($0) }, fallback: fallback))
    span = frames(0, UInt64(characters.count))
    for (number, word) in words.enumerated() {
      let mobility = try #require(Self.letters.first { $0.1 == word.first }).0
      if mobility != .movable { try mark(UInt64(number), mobility) }
    }
    for (frame, character) in characters.enumerated() {
      guard let mobility = Self.letters.first(where: { $0.2 == character })?.0 else { continue }
      let head = FrameNumber(UInt64(frame))
      _ = try machine.zone.claimFolio(at: head, order: Order(0), mobility)
      heads.append(head)
    }
    #expect(text == drawing, "the drawing was not set up")
  }

  /// Makes the pageblock the only one that has anything, so that a request of its size takes it.
  private func mark(_ number: UInt64, _ mobility: FrameMobility) throws {
    let own = FrameRange(blockAt: FrameNumber(number << UInt64(order.rawValue)), order: order)
    let others = machine.memory.flatMap {
      [
        $0.intersection(FrameRange(start: .zero, end: own.start)),
        $0.intersection(FrameRange(start: own.end, end: max(own.end, $0.end))),
      ]
    }.filter { !$0.isEmpty }
    for range in others { try machine.zone.claim(range) }
    let folio = try machine.zone.allocate(order, mobility, on: CPUIndex(0))
    #expect(folio.head == own.start)
    machine.zone.free(folio, on: CPUIndex(0))
    for range in others { try machine.zone.release(range) }
  }

  private static func ranges(_ characters: [Character], _ isIn: (Character) -> Bool) -> [FrameRange] {
    var ranges: [FrameRange] = []
    for (index, character) in characters.enumerated() where isIn(character) {
      let place = FrameNumber(UInt64(index))
      if let last = ranges.last, last.end == place {
        ranges[ranges.count - 1] = FrameRange(start: last.start, end: place + FrameCount(1))
      } else {
        ranges.append(FrameRange(start: place, count: FrameCount(1)))
      }
    }
    return ranges
  }

  /// The zone as it is now.
  var text: String {
    var text = ""
    for frame in 0..<span.end.rawValue {
      let number = FrameNumber(frame)
      if frame % order.frames.rawValue == 0 {
        let mobility = machine.zone.zone.contains(number) ? machine.zone.mobility(ofPageblockOf: number) : .movable
        text += (frame == 0 ? "" : " ") + String(Self.letters.first { $0.0 == mobility }?.1 ?? "?") + ":"
      }
      text.append(letter(number))
    }
    return text
  }

  private func letter(_ frame: FrameNumber) -> Character {
    guard machine.memory.contains(where: { $0.contains(frame) }) else { return "x" }
    guard let place = try? machine.zone.folio(containing: frame) else { return "." }
    guard let descriptor = machine.table.descriptor(place.head) else { return "?" }
    let mobility = descriptor.pointee.shape.mobility
    return Self.letters.first { $0.0 == mobility }?.2 ?? "?"
  }

  var counts: PageblockCounts { machine.zone.pageblockCounts }

  @discardableResult mutating func take(_ order: UInt8, _ mobility: FrameMobility) throws -> FrameNumber {
    let folio = try machine.zone.allocate(Order(order), mobility, on: CPUIndex(0))
    heads.append(folio.head)
    return folio.head
  }

  mutating func give(_ head: FrameNumber) throws {
    let place = try machine.zone.folio(containing: head)
    try machine.zone.free(at: place.head, order: place.order, on: CPUIndex(0))
    heads.removeAll { $0 == place.head }
  }

  /// Frees everything, and expects a balanced zone.
  mutating func finish() throws {
    try machine.zone.checkInvariants()
    for head in heads { try give(head) }
    machine.zone.drain()
    try machine.finish()
  }
}
