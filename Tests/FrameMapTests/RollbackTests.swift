import FrameMap
import MemoryUnits
import TestSupport
import Testing

/// Storage fails at every place where it can; everything is as before each time.
@Suite struct RollbackTests {
  static let models = MemoryModel.allCases.filter(\.canChange)

  @Test(arguments: MemoryModel.allCases) func aMapThatCannotBeMadeLeavesNothing(model: MemoryModel) throws {
    let layout = try MapDrawing("00.. .... ...1 0011 11.1 0000").layout
    let storage = FailingStorage()
    var failures = 0
    while true {
      storage.fail(at: failures)
      do throws(FrameMapError) {
        let map = try FrameMap(layout, model: model, storage: storage, guards: .always)
        let frames = map.validFrames
        #expect(frames > .zero)
        break
      } catch {
        guard case .storage = error else { throw error }
        failures += 1
        #expect(storage.state.reserved.isEmpty && storage.state.committed.isEmpty && storage.state.guarded.isEmpty)
      }
    }
    #expect(failures >= 3)
    #expect(storage.state.violations.isEmpty)
    #expect(storage.state.reserved.isEmpty && storage.state.committed.isEmpty)
  }

  /// Sections in leaves that do not exist yet, beside ones that do; subsections that share granules with others.
  @Test(arguments: models, [24..<28, 36..<44, 2032..<2064] as [Range<UInt64>])
  func aFailedAddChangesNothing(model: MemoryModel, letters: Range<UInt64>) throws {
    let storage = FailingStorage()
    let map = try FrameMap(
      try MapDrawing("00.. .... ...1 0011 11.1 0000 .... 0000 0...").layout, model: model, storage: storage, guards: .always)
    // Under vmemmap both ends lie inside sections.
    let inset: UInt64 = model == .vmemmap ? 1 : 0
    let frames = MapDrawing.frames(letters.lowerBound + inset..<letters.upperBound - inset)
    let account = map.account()
    let picture = MapDrawing.draw(map.table, letters: 64)
    let before = storage.state
    var failures = 0
    while true {
      storage.fail(at: failures)
      do throws(FrameMapError) {
        try map.add(frames)
        break
      } catch {
        guard case .storage = error else { throw error }
        failures += 1
      }
      var after = storage.state
      after.calls = before.calls
      after.failsAt = before.failsAt
      #expect(after == before)
      let found = map.account()
      #expect(found == account)
      #expect(MapDrawing.draw(map.table, letters: 64) == picture)
      try map.checkInvariants()
    }
    #expect(failures > 0)
    try map.checkInvariants()
    storage.fail(at: nil)
    try map.remove(frames)
    try map.checkInvariants()
    #expect(MapDrawing.draw(map.table, letters: 64) == picture)
    #expect(storage.state.violations.isEmpty)
    #expect(storage.state.guarded == before.guarded)
  }

  /// Taking parts out of sections that are memory throughout needs frame bits, which may not be had.
  @Test func aFailedRemovalChangesNothing() throws {
    let storage = FailingStorage()
    let map = try FrameMap(
      try MapDrawing("0000 0000 0000 0000").layout, model: .vmemmap, storage: storage)
    let account = map.account()
    for call in 0..<2 {
      storage.fail(at: call)
      #expect(throws: FrameMapError.storage(.noMemory(ByteCount(4096)))) { try map.remove(MapDrawing.frames(2..<9)) }
      let found = map.account()
      #expect(found == account)
      try map.checkInvariants()
    }
    try map.remove(MapDrawing.frames(2..<9))
    #expect(MapDrawing.draw(map.table, letters: 16) == "MM|.......|MMMMMMM")
    try map.add(MapDrawing.frames(2..<9))
    let found = map.account()
    #expect(found == account)
    try map.checkInvariants()
    #expect(storage.state.violations.isEmpty)
  }
}
