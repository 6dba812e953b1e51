import FrameMap
import HostArena
import MemoryUnits
import PhysicalLayout
import Testing

/// The source of frames fails at every place where it can; everything is as before each time.
@Suite struct ArenaRollbackTests {
  @Test(arguments: MemoryModel.allCases, ArenaMachine.all)
  func aMapThatCannotBeMadeLeavesNothing(model: MemoryModel, machine: ArenaMachine) throws {
    let arena = try machine.arena()
    let source = WatchedSource(machine.regions, machine.shift)
    let storage = try ArenaStorage(arena, frames: source)
    let layout = try machine.layout()
    var failures = 0
    while true {
      source.fail(at: failures)
      do throws(FrameMapError) {
        let map = try FrameMap(layout, model: model, storage: storage)
        let frames = map.validFrames
        #expect(frames > .zero)
        break
      } catch {
        guard case .storage(.noMemory) = error else { throw error }
        failures += 1
        #expect(storage.frames.isEmpty)
        #expect(source.inner.regions == machine.regions)
        #expect(try arena.residentBytes == .zero)
      }
    }
    #expect(failures >= (model == .flat ? 1 : 2))
    #expect(storage.frames.isEmpty)
    #expect(source.inner.regions == machine.regions)
  }

  @Test(arguments: ArenaStorageTests.changing, ArenaMachine.all)
  func aFailedAddChangesNothing(model: MemoryModel, machine: ArenaMachine) throws {
    let arena = try machine.arena()
    let source = WatchedSource(machine.regions, machine.shift)
    let storage = try ArenaStorage(arena, frames: source)
    let map = try FrameMap(try machine.layout(), model: model, storage: storage)
    try arena.add(machine.addition)
    let before = (map.account(), storage.frames, source.inner.regions, try arena.residentBytes)
    var failures = 0
    while true {
      source.fail(at: failures)
      do throws(FrameMapError) {
        try map.add(machine.frames(machine.addition))
        break
      } catch {
        guard case .storage(.noMemory) = error else { throw error }
        failures += 1
      }
      let account = map.account()
      #expect(account == before.0)
      #expect(storage.frames == before.1)
      #expect(source.inner.regions == before.2)
      #expect(try arena.residentBytes == before.3)
      try map.checkInvariants()
    }
    // A virtual memmap is asked for at once, the others' section by section.
    #expect(failures == (model == .vmemmap ? 1 : Int(machine.addition.count / machine.architecture.sectionSize)))
    source.fail(at: nil)
    try map.remove(machine.frames(machine.addition))
    #expect(storage.frames == before.1)
    try map.checkInvariants()
  }

  /// What the boot allocator took before it found that there is not enough goes back.
  @Test(arguments: [1, 64, 511] as [UInt64]) func tooLittleMemoryTakesNone(granules: UInt64) throws {
    let machine = ArenaMachine.x86
    let regions = machine.fragmented(.kibibytes(4), granules)
    let source = RegionFrameSource(regions, baseShift: machine.shift)
    let storage = try ArenaStorage(try machine.arena(), frames: source)
    let size = ByteCount(32) * machine.frames(physical(1 << 20, 288 << 20)).count.rawValue
    #expect(throws: FrameMapError.storage(.noMemory(size))) {
      _ = try FrameMap(try machine.layout(), model: .flat, storage: storage)
    }
    #expect(source.regions == regions)
    #expect(storage.frames.isEmpty)
  }

  /// A node without room is helped out by the other one.
  @Test func anotherNodeHelpsOut() throws {
    let machine = ArenaMachine.x86
    var regions = machine.regions
    regions.reserve(physical(1 << 20, 128 << 20))
    regions.unreserve(physical(100 << 20, 100 << 20 | 64 << 10))
    let source = RegionFrameSource(regions, baseShift: machine.shift)
    let given = try source.takeFrames(
      .mebibytes(2), granule: .kibibytes(4), describing: machine.frames(physical(16 << 20, 32 << 20)))
    // The rest of its own node first, then the top of the other.
    let rest = ByteCount.mebibytes(2) - .mebibytes(1) - .kibibytes(68)
    let top = PhysicalAddress(288 << 20)
    #expect(
      given == [
        physical(128 << 20, 129 << 20 | 4096), physical(100 << 20, 100 << 20 | 64 << 10),
        PhysicalRange(start: top - rest, count: rest),
      ])
    for range in given { source.giveBack(range) }
    #expect(source.regions == regions)
  }
}
