import FrameMap
import MemoryUnits
import Mobility
import PhysicalLayout

extension MachineScan {
  /// What a scan says of one page size.
  struct SizeCount: Hashable {
    /// Aligned ranges of the size in which all is memory.
    var ranges: UInt64 = 0
    /// Of these, ranges in which something stays where it is.
    var spoilt: UInt64 = 0
    /// Ranges that are wholly free.
    var free: UInt64 = 0
    /// Pages that could be had: ranges without anything that stays, as many as there is memory for.
    var obtainable: UInt64 = 0
  }

  /// - Parameters:
  ///   - order: at least a cell's.
  ///   - rule: which zones are searched, and whether smaller pages of pools move. A page of a pool that is no smaller is held
  ///     already, or does not move.
  ///   - spare: frames that are free or can be dropped, above what the zones keep.
  func count(_ order: Order, _ rule: RangeRule, spare: FrameCount) -> SizeCount {
    let movesPoolPages = rule.source == .contiguousRange && rule.hugePages == .migrate
    var result = SizeCount()
    let step = Int(1 << UInt64(order.rawValue - unit.rawValue))
    var candidates: UInt64 = 0
    for range in ranges {
      let start = range.frames.start.aligned(to: order.frames, .up)
      guard start < range.frames.end else { continue }
      var index = range.first + Int((start - range.frames.start).rawValue >> UInt64(unit.rawValue))
      let end = range.first + Int(range.frames.count.rawValue >> UInt64(unit.rawValue))
      while index + step <= end {
        var isMemory = true
        var isSpoilt = false
        var isFree = true
        var poolOrder: Order?
        for cell in cells[index..<(index + step)] {
          if cell.absent > 0 { isMemory = false }
          isSpoilt = isSpoilt || cell.fixed > 0
          if cell.pool > 0 { poolOrder = max(poolOrder ?? Order(0), cell.poolOrder) }
          isFree = isFree && UInt64(cell.free) == unit.frames.rawValue
        }
        if isMemory {
          result.ranges += 1
          if isSpoilt { result.spoilt += 1 }
          if isFree { result.free += 1 }
          let isHeld = poolOrder.map { $0 >= order || !movesPoolPages } ?? false
          if !isSpoilt, !isHeld, rule.searches(range.zone) { candidates += 1 }
        }
        index += step
      }
    }
    result.obtainable = min(candidates, spare / order.frames)
    return result
  }

  /// Frames that are free, that can be dropped, that move, that stay, and of pools.
  var totals: (free: FrameCount, cache: FrameCount, movable: FrameCount, fixed: FrameCount, pool: FrameCount) {
    var sums: (UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0)
    for cell in cells {
      sums.0 += UInt64(cell.free)
      sums.1 += UInt64(cell.cache)
      sums.2 += UInt64(cell.movable)
      sums.3 += UInt64(cell.fixed - cell.absent)
      sums.4 += UInt64(cell.pool)
    }
    return (FrameCount(sums.0), FrameCount(sums.1), FrameCount(sums.2), FrameCount(sums.3), FrameCount(sums.4))
  }

  /// The map of the scan, in cells of a coarser unit, with numbers of `states`, which grow.
  func map(_ coarse: Order, _ states: inout StateNumbers) -> [UInt32] {
    let step = 1 << Int(coarse.rawValue - unit.rawValue)
    var runs: [UInt32] = []
    for range in ranges {
      let count = Int(range.frames.count.rawValue >> UInt64(unit.rawValue))
      var index = range.first
      while index < range.first + count {
        var sum = Cell()
        var frames: UInt64 = 0
        for cell in cells[index..<min(index + step, range.first + count)] {
          sum.free += cell.free
          if cell.cache > 0 { sum.add(cell.cache, .cache, cell.rank == .cache ? cell.owner : sum.owner) }
          if cell.movable > 0 { sum.add(cell.movable, .movable, cell.rank == .movable ? cell.owner : BuiltIn.processes.rawValue) }
          if cell.pool > 0 { sum.add(cell.pool, .pool, BuiltIn.pools.rawValue) }
          if cell.fixed > 0 { sum.add(cell.fixed, .fixed, cell.owner) }
          frames += unit.frames.rawValue
        }
        let state = states.number(of: sum, frames: frames)
        if let last = runs.last, runs.count >= 2, runs[runs.count - 2] == state {
          runs[runs.count - 1] = last + 1
        } else {
          runs.append(state)
          runs.append(1)
        }
        index += step
      }
    }
    return runs
  }
}

/// The states that maps met, numbered as they come.
struct StateNumbers {
  private(set) var states: [RunTrace.MapState] = []
  private var numbers: [RunTrace.MapState: UInt32] = [:]

  fileprivate mutating func number(of cell: MachineScan.Cell, frames: UInt64) -> UInt32 {
    // Sixteen steps of shares are as much as an eye sees, and keep the number of states small.
    func share(_ part: UInt32) -> UInt8 { UInt8((UInt64(part) * 16 + frames - 1) / frames * 255 / 16) }
    let state = RunTrace.MapState(
      owner: Int(cell.owner), free: share(cell.free), movable: share(cell.cache + cell.movable + cell.pool),
      unmovable: share(cell.fixed))
    if let number = numbers[state] { return number }
    let number = UInt32(states.count)
    numbers[state] = number
    states.append(state)
    return number
  }
}
