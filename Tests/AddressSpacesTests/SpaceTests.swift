import AddressSpaces
import FrameAllocator
import FrameMap
import HostArena
import HugePools
import Megalith
import MemoryUnits
import PhysicalLayout
import TestSupport
import Testing

@Suite struct SpaceTests {
  @Test(arguments: MemoryModel.allCases) func baseAndHugePagesLiveInOneSpace(model: MemoryModel) throws {
    let world = try World(model: model)
    world.grow(.huge, to: 8)
    world.grow(.gigantic, to: 1)
    #expect(world.counters(.gigantic) == "1 1 0 0")
    let space = try world.space()
    let small = try world.map(.anonymous(.small), .kibibytes(64), in: space)
    let huge = try world.map(.anonymous(.huge), .mebibytes(4), in: space)
    let gigantic = try world.map(.anonymous(.gigantic), .gibibytes(1), in: space)
    #expect(world.counters(.huge) == "8 8 2 0")
    try world.check()
    for range in [small, huge, gigantic] { try world.touch(range.start, .write, in: space) }
    #expect(world.counters(.huge) == "8 7 1 0" && world.counters(.gigantic) == "1 0 0 0")
    try world.check()
    let child = try world.machine.memory.fork(space, on: world.cpu)
    try world.check()
    try world.touch(small.start, .write, in: child)
    try world.touch(huge.start, .write, in: child)
    #expect(world.counters(.huge) == "8 6 1 0")
    try world.check()
    world.end(child)
    try world.check()
    try world.unmap(huge, in: space)
    #expect(world.counters(.huge) == "8 8 0 0")
    world.end(space)
    try world.finish()
  }
}
