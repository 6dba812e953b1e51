import FrameContents
import MemoryUnits

/// The books of an arena: which ranges are memory, and the direct maps that were ever made of them.
struct ArenaMemory {
  private(set) var ranges: [PhysicalRange] = []
  private let base: UInt64
  private let baseShift: PageShift
  /// By the memory that they show. Windows follow from it, since a byte's place is fixed.
  private var tables: [[PhysicalRange]: Table] = [:]

  private struct Table {
    let map: UnsafeMutablePointer<DirectMap>
    let windows: UnsafeMutableBufferPointer<DirectWindow>
  }

  init(base: UInt64, baseShift: PageShift) {
    self.base = base
    self.baseShift = baseShift
  }

  /// The index of the first range that ends above `address`.
  private func position(of address: PhysicalAddress) -> Int {
    var low = 0
    var high = ranges.count
    while low < high {
      let middle = (low + high) / 2
      if ranges[middle].end <= address { low = middle + 1 } else { high = middle }
    }
    return low
  }

  func contains(_ range: PhysicalRange) -> Bool {
    let index = position(of: range.start)
    return index < ranges.count && ranges[index].contains(range)
  }

  func overlaps(_ range: PhysicalRange) -> Bool {
    let index = position(of: range.start)
    return index < ranges.count && ranges[index].start < range.end
  }

  /// Adds a range that overlaps none.
  mutating func insert(_ range: PhysicalRange) {
    var index = position(of: range.start)
    var joined = range
    if index > 0, ranges[index - 1].end == range.start {
      index -= 1
      joined = PhysicalRange(start: ranges[index].start, end: joined.end)
      ranges.remove(at: index)
    }
    if index < ranges.count, ranges[index].start == range.end {
      joined = PhysicalRange(start: joined.start, end: ranges[index].end)
      ranges.remove(at: index)
    }
    ranges.insert(joined, at: index)
  }

  /// Takes away a part of one range.
  mutating func remove(_ range: PhysicalRange) {
    let index = position(of: range.start)
    let around = ranges[index]
    let rest = [PhysicalRange(start: around.start, end: range.start), PhysicalRange(start: range.end, end: around.end)]
    ranges.replaceSubrange(index...index, with: rest.filter { !$0.isEmpty })
  }

  /// The address of the direct map of the memory as it is.
  mutating func publish() -> UInt {
    if let known = tables[ranges] { return UInt(bitPattern: known.map) }
    let windows = UnsafeMutableBufferPointer<DirectWindow>.allocate(capacity: ranges.count)
    for (index, range) in ranges.enumerated() {
      let window = DirectWindow(
        frames: FrameRange(range, baseShift, rounded: .down), base: HostAddresses.pointer(base + range.start.rawValue))
      windows.initializeElement(at: index, to: window)
    }
    let map = UnsafeMutablePointer<DirectMap>.allocate(capacity: 1)
    map.initialize(to: DirectMap(windows: UnsafeBufferPointer(windows), baseShift: baseShift))
    tables[ranges] = Table(map: map, windows: windows)
    return UInt(bitPattern: map)
  }

  /// Frees all direct maps, which nobody reads any longer.
  mutating func freeTables() {
    for table in tables.values {
      table.map.deallocate()
      table.windows.deallocate()
    }
    tables = [:]
  }
}
