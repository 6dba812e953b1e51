/// The heads of lists of slots by the tick at which they are due: 256 ticks one by one, then in steps of 256 and of 65,536, whose
/// lists are dealt out anew when their time begins.
///
/// The lists' links are the slots' own.
struct TimeWheel {
  /// The furthest that a due tick may lie ahead.
  static let horizon: UInt32 = 1 << 24 - 1
  static let none = UInt32.max

  private var heads = [UInt32](repeating: TimeWheel.none, count: 3 * 256)
  private(set) var now: UInt32 = 0

  /// Puts a slot in the list of its tick, which is later than now.
  ///
  /// - Returns: the slot that follows it there.
  mutating func insert(_ slot: UInt32, due: UInt32) -> UInt32 {
    let ahead = due &- now
    let bucket: Int
    if ahead < 256 {
      bucket = Int(due & 255)
    } else if ahead < 65_536 {
      bucket = 256 + Int(due >> 8 & 255)
    } else {
      bucket = 512 + Int(due >> 16 & 255)
    }
    let next = heads[bucket]
    heads[bucket] = slot
    return next
  }

  /// Goes on by a tick. Calls `deal` with the first slot of each list whose slots are to be inserted again.
  ///
  /// - Returns: the first slot of the list that is due now.
  mutating func advance(deal: (inout TimeWheel, UInt32) -> Void) -> UInt32 {
    now += 1
    if now & 255 == 0 {
      if now & 65_535 == 0 { take(512 + Int(now >> 16 & 255), deal) }
      take(256 + Int(now >> 8 & 255), deal)
    }
    let bucket = Int(now & 255)
    let first = heads[bucket]
    heads[bucket] = TimeWheel.none
    return first
  }

  private mutating func take(_ bucket: Int, _ deal: (inout TimeWheel, UInt32) -> Void) {
    let first = heads[bucket]
    heads[bucket] = TimeWheel.none
    deal(&self, first)
  }
}
