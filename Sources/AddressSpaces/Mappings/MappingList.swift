import HugePools
import MemoryUnits

/// The mappings of a space, lowest first, apart from each other.
///
/// Linux: the maple tree of `struct mm_struct`.
struct MappingList: Sendable {
  private(set) var all: [Mapping] = []

  /// The index of the first mapping that ends above `address`. O(log mappings).
  func position(of address: VirtualAddress) -> Int {
    var low = 0
    var high = all.count
    while low < high {
      let middle = (low + high) / 2
      if all[middle].range.end <= address { low = middle + 1 } else { high = middle }
    }
    return low
  }

  func index(containing address: VirtualAddress) -> Int? {
    let place = position(of: address)
    return place < all.count && all[place].range.contains(address) ? place : nil
  }

  subscript(place: Int) -> Mapping {
    get { all[place] }
    set { all[place] = newValue }
  }

  /// The indices of mappings that touch `range`.
  func overlapping(_ range: VirtualRange) -> Range<Int> {
    let first = position(of: range.start)
    var end = first
    while end < all.count, all[end].range.start < range.end { end += 1 }
    return first..<end
  }

  /// Puts a mapping into its place. Nothing overlaps it.
  mutating func insert(_ mapping: Mapping) { all.insert(mapping, at: position(of: mapping.range.start)) }

  @discardableResult mutating func remove(at place: Int) -> Mapping { all.remove(at: place) }

  /// Makes `address` a border, where it lies inside a mapping. True where it was none.
  @discardableResult mutating func cut(at address: VirtualAddress) -> Bool {
    guard let place = index(containing: address), all[place].range.start < address else { return false }
    let rest = all[place].cut(at: address)
    all.insert(rest, at: place + 1)
    return true
  }

  /// Joins what continues each other, among the mappings that touch `range`. Returns the mappings that are no more.
  mutating func join(around range: VirtualRange) -> [Mapping] {
    var gone: [Mapping] = []
    var place = max(position(of: range.start), 1) - 1
    while place + 1 < all.count, all[place].range.start <= range.end {
      if all[place].continues(into: all[place + 1]) {
        all[place].join(all[place + 1])
        gone.append(all.remove(at: place + 1))
      } else {
        place += 1
      }
    }
    return gone
  }

  /// The lowest gap of `size` bytes whose start is aligned, in `bounds`; nil where there is none.
  func gap(_ size: ByteCount, alignment: ByteCount, in bounds: VirtualRange) -> VirtualRange? {
    var start = bounds.start.aligned(to: alignment, .up)
    var place = position(of: start)
    while true {
      guard start < bounds.end, bounds.end - start >= size else { return nil }
      let range = VirtualRange(start: start, count: size)
      guard place < all.count, all[place].range.start < range.end else { return range }
      start = max(start, all[place].range.end.aligned(to: alignment, .up))
      place += 1
    }
  }
}
