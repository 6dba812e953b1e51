import HugePools
import MemoryUnits
import TestSupport
import Testing

@Suite struct ReservationMapTests {
  private func range(_ start: UInt64, _ end: UInt64) -> UnitRange<PageIndex> {
    UnitRange(start: PageIndex(start), end: PageIndex(end))
  }

  @Test func neighboursAreJoinedAndHolesSplit() {
    var map = ReservationMap()
    #expect(map.add(range(2, 4)) == PageCount(2))
    #expect(map.add(range(6, 8)) == PageCount(2))
    #expect(map.missing(in: range(0, 10)) == PageCount(6))
    #expect(map.add(range(4, 6)) == PageCount(2))
    #expect(map.regions == [range(2, 8)])
    #expect(map.remove(range(4, 5)) == PageCount(1))
    #expect(map.regions == [range(2, 4), range(5, 8)])
    #expect(map.contains(PageIndex(3)) && !map.contains(PageIndex(4)) && map.contains(PageIndex(5)))
    #expect(map.remove(range(0, 100)) == PageCount(5))
    #expect(map.regions.isEmpty && map.add(range(7, 7)) == .zero)
  }

  /// Against a set of numbers.
  @Test(arguments: [1, 2, 3, 4, 5, 6, 7, 8] as [UInt64]) func theMapIsASet(seed: UInt64) {
    var random = SplitMix(seed: seed)
    var map = ReservationMap()
    var set: Set<UInt64> = []
    for step in 0..<2000 {
      let start = UInt64.random(in: 0..<200, using: &random)
      let end = start + UInt64.random(in: 0...(step % 7 == 0 ? 120 : 9), using: &random)
      let part = Set(start..<end)
      let place = "seed \(seed), step \(step), \(range(start, end))"
      #expect(map.count(in: range(start, end)).rawValue == UInt64(set.intersection(part).count), "\(place)")
      #expect(map.missing(in: range(start, end)).rawValue == UInt64(part.subtracting(set).count), "\(place)")
      if Bool.random(using: &random) {
        #expect(map.add(range(start, end)).rawValue == UInt64(part.subtracting(set).count), "\(place)")
        set.formUnion(part)
      } else {
        #expect(map.remove(range(start, end)).rawValue == UInt64(set.intersection(part).count), "\(place)")
        set.subtract(part)
      }
      #expect(map.contains(PageIndex(start)) == set.contains(start), "\(place)")
      #expect(map.count.rawValue == UInt64(set.count), "\(place)")
      // Regions are in order, apart from each other, and not empty.
      let isOrdered = zip(map.regions, map.regions.dropFirst()).allSatisfy { $0.end < $1.start }
      #expect(isOrdered && map.regions.allSatisfy { !$0.isEmpty }, "\(place)")
    }
  }
}
