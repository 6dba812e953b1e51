import FrameAllocator
import FrameMap
import HugePools
import Megalith
import MemoryUnits
import PhysicalLayout
import Testing

/// Every size of every preset, 16 GiB pages among them.
@Suite struct PresetTests {
  struct Case: CustomTestStringConvertible, Sendable {
    let architecture: Architecture
    let size: PageSize
    var testDescription: String { "\(architecture.name) \(size)" }
  }

  static let cases = Architecture.allPresets.flatMap { preset in preset.hugeSizes.map { Case(architecture: preset, size: $0) } }

  @Test(arguments: cases) func everySizeOfEveryPreset(_ test: Case) throws {
    let page = test.size.bytes
    let node = max(page * 3, .mebibytes(256))
    for model in [MemoryModel.vmemmap, .sparse] {
      let estate = try Estate(nodes: [node, node], architecture: test.architecture, model: model)
      #expect(estate.resize(test.size, 2) == 2)
      try estate.expect(test.size, [2, 2, 0, 0], "grown")
      try estate.reserve(2, test.size)
      let first = try estate.take(test.size, reserved: true)
      #expect(throws: HugePoolError.noPage(test.size, free: PageCount(1), reserved: PageCount(1))) {
        _ = try estate.take(test.size)
      }
      estate.pools.setOvercommit(test.size, to: PageCount(1))
      let second = try estate.take(test.size)
      try estate.expect(test.size, [3, 1, 1, 1], "one beyond the size")
      let order = test.size.order(baseShift: test.architecture.baseShift)
      for head in [first, second] {
        let place = try estate.machine.zones.folio(containing: head + order.frames - FrameCount(1))
        #expect(place == FolioPlace(head: head, order: order))
      }
      estate.putBack(first, restoring: true)
      estate.putBack(second)
      try estate.expect(test.size, [2, 2, 2, 0], "back")
      estate.unreserve(2, test.size)
      for smaller in test.architecture.hugeSizes where smaller < test.size {
        let parts = test.size.bytes / smaller.bytes
        let done = try estate.pools.demote(
          test.size, to: smaller, count: PageCount(1), on: nil, zones: estate.machine.zones, on: CPUIndex(0))
        #expect(done == PageCount(1))
        try estate.expect(smaller, [parts, parts, 0, 0], "demoted")
        try estate.expect(test.size, [1, 1, 0, 0], "one less")
        #expect(estate.resize(smaller, 0) == 0)
        #expect(estate.resize(test.size, 2) == 2)
      }
      try estate.finish()
    }
  }
}
