import FrameAllocator
import FrameMap
import Megalith
import MemoryUnits
import PhysicalLayout
import Testing

/// A gigantic page of the boot that lay in two zones stopped the machine from booting. It is left to the zones instead, as kernels
/// discard such pages.
@Suite struct BootPageTests {
  // 16 GiB from address 0 on: the first 4 GiB are another zone than the rest.
  @Test func aPageOfTwoAddressClasses() throws {
    let line = KernelCommandLine(parsing: Array("hugepagesz=16G hugepages=2".utf8))
    let memory = try PhysicalMemory(
      total: .gibibytes(33), deviceHole: PhysicalAddress(4 << 30), architecture: .arm64Granule64K.limited)
    let layout = try BootLayout(of: memory.boot(commandLine: line))
    let machine = try Machine(layout, model: .vmemmap, commandLine: line)
    #expect(
      machine.boot.hugePages == [BootPages(size: PageSize(shift: PageShift(34)), node: NodeID(0), frames: [FrameNumber(1 << 18)])]
    )
    let held = try machine.checkInvariants()
    #expect(held == FrameCount(1 << 18))
  }

  // The movable zone begins where `kernelcore=` ends, in the middle of a gigabyte.
  @Test func aPageOfAnOrdinaryAndAMovableZone() throws {
    let line = KernelCommandLine(parsing: Array("kernelcore=5632M hugepagesz=1G hugepages=6".utf8))
    let memory = try PhysicalMemory(total: .gibibytes(8), architecture: .x86_64.limited)
    let layout = try BootLayout(of: memory.boot(commandLine: line))
    let movable = try #require(layout.zones.first { $0.kind == .movable })
    #expect(!movable.span.start.isAligned(to: Order(18).frames))
    let machine = try Machine(layout, model: .vmemmap, commandLine: line)
    let pages = machine.boot.hugePages.flatMap { $0.frames }
    #expect(!pages.isEmpty)
    for page in pages {
      let block = FrameRange(blockAt: page, order: Order(18))
      #expect(layout.zones.contains { $0.span.contains(block) })
    }
    let held = try machine.checkInvariants()
    #expect(held == Order(18).frames * UInt64(pages.count))
  }
}

extension Architecture {
  /// With few sections that are no memory, of which a recount looks at each.
  var limited: Architecture {
    var copy = self
    copy.addressLimit = PhysicalAddress(64 << 30)
    return copy
  }
}
