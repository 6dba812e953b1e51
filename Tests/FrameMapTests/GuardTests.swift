import FrameMap
import Glibc
import HostArena
import MemoryUnits
import Testing

/// Two whole sections side by side, and a step from the first one's last descriptor to what would be the next.
private func stepOverTheEnd(_ model: MemoryModel, _ kind: HostStorage.GuardKind?, isBackwards: Bool = false) {
  guard let layout = try? MapDrawing("0000 0000").layout,
    let map = try? FrameMap(layout, model: model, storage: HostStorage(guardKind: kind), guards: .always),
    let last = map.descriptor(FrameNumber(63)), let next = map.descriptor(FrameNumber(64))
  else { return }
  // A sanitizer's handler would take the signal for its own, and may never come back.
  signal(SIGSEGV, SIG_DFL)
  // Both are there, and the step between them is what must not be taken.
  last.pointee.unfreeze(.references(1))
  next.pointee.unfreeze(.references(1))
  let wrong = isBackwards ? next - 1 : last + 1
  // Backwards the gap's far end is reached, which lies in the same page as its near end.
  wrong.pointee.unfreeze(.references(1))
}

/// A step over a run's end traps.
@Suite struct GuardTests {
  @Test func inSparse() async {
    await #expect(processExitsWith: .signal(SIGSEGV)) { stepOverTheEnd(.sparse, nil) }
  }

  @Test func inSparseExtreme() async {
    await #expect(processExitsWith: .signal(SIGSEGV)) { stepOverTheEnd(.sparseExtreme, nil) }
  }

  @Test func withGuardsThatAreMappings() async {
    await #expect(processExitsWith: .signal(SIGSEGV)) { stepOverTheEnd(.sparse, .mappings(atMost: 2)) }
  }

  @Test func guardsThatCannotBeHadAreCounted() throws {
    let storage = HostStorage(guardKind: .mappings(atMost: 3))
    let map = try FrameMap(try MapDrawing("0000 0000 0000 0000 0000").layout, model: .sparse, storage: storage, guards: .always)
    func expectGuards(_ placed: UInt64, _ missing: UInt64, _ found: (placed: UInt64, missing: UInt64)) {
      #expect(found == (placed, missing))
    }
    expectGuards(3, 2, map.guards)
    try map.remove(MapDrawing.frames(0..<4))
    expectGuards(2, 2, map.guards)
    try map.remove(MapDrawing.frames(12..<16))
    expectGuards(2, 1, map.guards)
    try map.add(MapDrawing.frames(12..<16))
    expectGuards(3, 1, map.guards)
    try map.checkInvariants()
  }

  @Test func noneWhereNoneAreWanted() throws {
    let map = try FrameMap(try MapDrawing("0000").layout, model: .sparse, storage: HostStorage(), guards: .never)
    let guards = map.guards
    #expect(guards == (0, 0))
  }
}
