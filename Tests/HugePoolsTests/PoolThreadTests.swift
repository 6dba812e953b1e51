import FrameAllocator
import FrameContents
import FrameMap
import HugePools
import Megalith
import MemoryUnits
import Mobility
import PhysicalLayout
import TestSupport
import Testing

/// Run them under the thread sanitizer: `swift test --sanitize=thread --filter HugePools`.
@Suite(.serialized) struct PoolThreadTests {
  /// Pages are taken, put back, put away, promised and given up while the pool's size changes; everything ends balanced.
  @Test(arguments: [MemoryModel.vmemmap, .sparse]) func aBusyPoolEndsBalanced(model: MemoryModel) throws {
    let threads = 4
    let estate = try Estate(nodes: [.mebibytes(96), .mebibytes(96)], model: model, processors: UInt32(threads))
    estate.pools.setOvercommit(.m2, to: PageCount(6))
    estate.pools.setSize(.m2, to: PageCount(10), zones: estate.machine.zones, with: estate.context())
    let files = try estate.pools.makeSubpool(
      .m2, maximum: PageCount(8), minimum: PageCount(2), zones: estate.machine.zones, with: estate.context())
    let faults = Tally()
    let served = Tally()
    concurrently(threads) { thread in
      let cpu = CPUIndex(UInt32(thread))
      let context = estate.context(cpu)
      var random = SplitMix(seed: UInt64(thread) + 11)
      var held: [(head: FrameNumber, wasReserved: Bool)] = []
      var promised = 0
      // Half of the threads use the subpool.
      let subpool = thread % 2 == 0 ? files : nil
      func end(_ index: Int) {
        let (head, wasReserved) = held.remove(at: index)
        if Bool.random(using: &random) {
          estate.machine.zones.put(head, on: cpu)
        } else if estate.machine.map.table.descriptor(head)?.pointee.give(.references(1)) == true {
          let restores = wasReserved && Bool.random(using: &random)
          estate.pools.putBack(head, restoringReservation: restores, zones: estate.machine.zones, on: cpu)
          if restores { promised += 1 }
        } else {
          faults.add(1)
        }
      }
      for _ in 0..<400 {
        switch Int.random(in: 0..<10, using: &random) {
        case 0..<4:
          let usesReserve = promised > 0
          let node = NodeID(UInt32.random(in: 0...1, using: &random))
          do throws(HugePoolError) {
            let folio = try estate.pools.take(
              .m2, reserved: usesReserve, placement: Bool.random(using: &random) ? .local(node) : .bind([node]),
              subpool: subpool, zones: estate.machine.zones, with: context)
            held.append((folio.head, usesReserve))
            if usesReserve { promised -= 1 }
            served.add(1)
          } catch {
            switch error {
            case .noPage, .subpoolFull: break
            default: faults.add(1)
            }
          }
        case 4..<7:
          if !held.isEmpty { end(Int.random(in: 0..<held.count, using: &random)) }
        case 7:
          do throws(HugePoolError) {
            try estate.pools.reserve(PageCount(2), .m2, subpool: subpool, zones: estate.machine.zones, with: context)
            promised += 2
          } catch {
            switch error {
            case .notEnough, .subpoolFull: break
            default: faults.add(1)
            }
          }
        case 8:
          if promised > 0 {
            estate.pools.unreserve(
              PageCount(UInt64(promised)), .m2, subpool: subpool, zones: estate.machine.zones, on: cpu)
            promised = 0
          }
        default:
          let size = PageCount(UInt64.random(in: 0...14, using: &random))
          if Bool.random(using: &random) {
            estate.pools.setSize(.m2, to: size, zones: estate.machine.zones, with: context)
          } else {
            estate.pools.setSize(.m2, to: size, on: NodeID(UInt32(thread % 2)), zones: estate.machine.zones, with: context)
          }
        }
      }
      while !held.isEmpty { end(0) }
      if promised > 0 {
        estate.pools.unreserve(PageCount(UInt64(promised)), .m2, subpool: subpool, zones: estate.machine.zones, on: cpu)
      }
    }
    #expect(faults.value == 0)
    #expect(served.value > 100)
    estate.pools.collect(estate.machine.zones, on: CPUIndex(0))
    try estate.pools.checkInvariants(zones: estate.machine.zones, subpools: [files])
    #expect(files.used == .zero && files.kept == PageCount(2))
    let counts = estate.pools.counts(.m2)
    #expect(counts.total == counts.free && counts.reserved == PageCount(2), "\(counts)")
    estate.pools.close(files, zones: estate.machine.zones, on: CPUIndex(0))
    try estate.finish()
  }

  /// A page is freed by whichever of many gives the last reference.
  @Test func theLastReferenceDecides() throws {
    let threads = 4
    let estate = try Estate(nodes: [.mebibytes(64)], processors: UInt32(threads))
    estate.resize(.m2, 2)
    for _ in 0..<200 {
      let head = try estate.take(.m2)
      for _ in 1..<threads { _ = try estate.machine.zones.tryGet(head, on: CPUIndex(0)) }
      concurrently(threads) { thread in
        estate.machine.zones.put(head, on: CPUIndex(UInt32(thread)))
        estate.pools.collect(estate.machine.zones, on: CPUIndex(UInt32(thread)))
      }
      estate.pools.collect(estate.machine.zones, on: CPUIndex(0))
      let counts = estate.pools.counts(.m2)
      #expect(counts.free == PageCount(2))
    }
    try estate.finish()
  }
}
