import FrameAllocator
import FrameMap
import Glibc
import Megalith
import MemoryUnits
import PhysicalLayout

/// The naive machine: a state a frame, in an array.
struct PropertyOracle {
  enum State: UInt8 {
    /// No memory, or kept by the boot.
    case outside
    case free
    /// Part of a folio.
    case held
    /// Taken out by number.
    case claimed
  }

  struct Held {
    let order: Order
    var references: UInt32
  }

  let zones: [ZoneDescription]
  private var states: [UInt8]
  /// By zone.
  private(set) var freeFrames: [FrameCount]
  private(set) var managed: [FrameCount] = []
  private(set) var folios: [FrameNumber: Held] = [:]
  /// The heads of `folios` in an order of their own, so that a number picks one.
  private(set) var heads: [FrameNumber] = []
  private(set) var claims: [FrameRange] = []

  init(_ machine: borrowing Machine<some MachineStorage>) {
    zones = machine.zones.descriptions
    let end = zones.reduce(FrameNumber.zero) { max($0, $1.span.end) }
    states = Array(repeating: State.outside.rawValue, count: Int(end.rawValue))
    freeFrames = Array(repeating: .zero, count: zones.count)
    for zone in zones {
      for range in zone.memory { set(range, .free) }
    }
    let everything = FrameRange(start: .zero, end: end)
    for kept in machine.boot.reserved + machine.boot.memmap { set(kept.intersection(everything), .outside) }
    for (number, zone) in zones.enumerated() {
      for range in zone.memory {
        let free = states[Int(range.start.rawValue)..<Int(range.end.rawValue)].count { $0 == State.free.rawValue }
        freeFrames[number] += FrameCount(UInt64(free))
      }
    }
    managed = freeFrames
  }

  /// Frames that any zone can have.
  var end: UInt64 { UInt64(states.count) }

  private mutating func set(_ range: FrameRange, _ state: State) {
    states.withUnsafeMutableBytes { bytes in
      guard let base = bytes.baseAddress else { return }
      memset(base + Int(range.start.rawValue), Int32(state.rawValue), Int(range.count.rawValue))
    }
  }

  func state(_ frame: FrameNumber) -> State {
    frame.rawValue < end ? State(rawValue: states[Int(frame.rawValue)]) ?? .outside : .outside
  }

  /// Whether all of the range is in that state.
  func isAll(_ range: FrameRange, _ state: State) -> Bool {
    guard range.end.rawValue <= end, !range.isEmpty, self.state(range.start) == state else { return false }
    return states.withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress else { return false }
      let first = base + Int(range.start.rawValue)
      return memcmp(first, first + 1, Int(range.count.rawValue) - 1) == 0
    }
  }

  /// The first frame of the range that is not free memory of the zone.
  func firstHeld(_ range: FrameRange, of zone: Int) -> FrameNumber? {
    if isAll(range, .free), zones[zone].memory.contains(where: { $0.contains(range) }) { return nil }
    var frame = range.start
    while frame < range.end, state(frame) == .free, zones[zone].memory.contains(where: { $0.contains(frame) }) {
      frame += FrameCount(1)
    }
    return frame < range.end ? frame : nil
  }

  /// The head of the folio that contains the frame.
  func head(of frame: FrameNumber) -> FrameNumber? {
    guard state(frame) == .held else { return nil }
    for order in 0...40 as ClosedRange<UInt8> {
      let head = frame.aligned(to: Order(order).frames, .down)
      if let folio = folios[head], frame - head < folio.order.frames { return head }
    }
    return nil
  }

  func zone(of frame: FrameNumber) -> Int? { zones.firstIndex { $0.memory.contains { $0.contains(frame) } } }

  // MARK: Changes

  mutating func hold(_ head: FrameNumber, _ order: Order, zone: Int) {
    set(FrameRange(blockAt: head, order: order), .held)
    freeFrames[zone] -= order.frames
    folios[head] = Held(order: order, references: 1)
    heads.append(head)
  }

  mutating func free(_ head: FrameNumber) {
    guard let folio = folios.removeValue(forKey: head), let zone = zone(of: head) else { return }
    heads.removeAll { $0 == head }
    set(FrameRange(blockAt: head, order: folio.order), .free)
    freeFrames[zone] += folio.order.frames
  }

  mutating func split(_ head: FrameNumber, to order: Order) {
    guard let folio = folios.removeValue(forKey: head) else { return }
    heads.removeAll { $0 == head }
    for part in 0..<(folio.order.frames / order.frames) {
      let start = head + order.frames * part
      folios[start] = Held(order: order, references: 1)
      heads.append(start)
    }
  }

  mutating func changeReferences(_ head: FrameNumber, by amount: Int) {
    guard let folio = folios[head] else { return }
    folios[head]?.references = UInt32(Int(folio.references) + amount)
  }

  mutating func claim(_ range: FrameRange, zone: Int) {
    set(range, .claimed)
    freeFrames[zone] -= range.count
    claims.append(range)
  }

  mutating func release(_ index: Int, zone: Int) -> FrameRange {
    let range = claims.remove(at: index)
    set(range, .free)
    freeFrames[zone] += range.count
    return range
  }

  // MARK: What a refusal says

  /// Free aligned blocks of an order in a zone.
  func freeBlocks(_ order: Order, zone: Int) -> [FrameNumber] {
    guard order.frames.rawValue <= end else { return [] }
    return zones[zone].memory.flatMap { range -> [FrameNumber] in
      let inside = range.aligned(to: order.frames, .down)
      guard range.contains(inside) else { return [] }
      return stride(from: inside.start.rawValue, to: inside.end.rawValue, by: Int(order.frames.rawValue))
        .map { FrameNumber($0) }.filter { isAll(FrameRange(blockAt: $0, order: order), .free) }
    }
  }

  /// The frames of the largest free block of the zones.
  func largestFree(_ accepted: [Int]) -> FrameCount {
    for order in (0...24 as ClosedRange<UInt8>).reversed().map({ Order($0) })
    where accepted.contains(where: { freeFrames[$0] >= order.frames && !freeBlocks(order, zone: $0).isEmpty }) {
      return order.frames
    }
    return .zero
  }
}
