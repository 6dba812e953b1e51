import AddressSpaces
import MemoryUnits

/// What a swap area's books should say, as plain as can be: a number of uses a slot, and a head or none.
struct SlotOracle {
  var uses: [UInt32]
  var heads: [FrameNumber?]

  init(_ slots: Int) {
    uses = [UInt32](repeating: 0, count: slots)
    heads = [FrameNumber?](repeating: nil, count: slots)
  }

  var free: SlotCount { SlotCount(UInt64(uses.count { $0 == 0 })) }
  var cached: SlotCount { SlotCount(UInt64(heads.count { $0 != nil })) }

  func isFree(_ range: Range<Int>) -> Bool { range.upperBound <= uses.count && uses[range].allSatisfy { $0 == 0 } }

  /// Starts of the free blocks of an order.
  func blocks(_ order: Int) -> [Int] {
    stride(from: 0, to: uses.count, by: 1 << order).filter { isFree($0..<$0 + (1 << order)) }
  }

  /// Slots of the largest free block below an order.
  func largest(below order: Int) -> SlotCount {
    for order in stride(from: order - 1, through: 0, by: -1) where !blocks(order).isEmpty { return SlotCount(1 << UInt64(order)) }
    return .zero
  }

  /// Whether a slot's cluster was never touched, as far as uses tell, and could hold a huge folio.
  func isInWholeCluster(_ slot: Int) -> Bool { isFree(slot / 512 * 512..<slot / 512 * 512 + 512) }

  func range(_ slots: SlotRange) -> Range<Int> { Int(slots.start.rawValue)..<Int(slots.end.rawValue) }

  mutating func take(_ range: Range<Int>) { for slot in range { uses[slot] = 1 } }
  mutating func retain(_ range: Range<Int>) { for slot in range { uses[slot] += 1 } }

  /// Returns how many are free now.
  mutating func release(_ range: Range<Int>) -> SlotCount {
    for slot in range { uses[slot] -= 1 }
    return SlotCount(UInt64(uses[range].count { $0 == 0 }))
  }

  mutating func cache(_ range: Range<Int>, _ head: FrameNumber?) { for slot in range { heads[slot] = head } }
}
