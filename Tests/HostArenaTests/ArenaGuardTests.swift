import FrameMap
import Glibc
import HostArena
import MemoryUnits
import PhysicalLayout
import Testing

/// The last descriptor before the end of an array, and a step over it.
private func stepOverTheEnd(_ model: MemoryModel, _ policy: GuardPolicy, after frame: (ArenaMachine) -> FrameNumber) {
  let machine = ArenaMachine.x86
  guard let arena = try? machine.arena(),
    let storage = try? ArenaStorage(arena, frames: RegionFrameSource(machine.regions, baseShift: machine.shift)),
    let layout = try? machine.layout(), let map = try? FrameMap(layout, model: model, storage: storage, guards: policy),
    let last = map.descriptor(frame(machine))
  else { return }
  // A sanitizer's handler would take the signal for its own, and may never come back.
  signal(SIGSEGV, SIG_DFL)
  last.pointee.unfreeze(.references(1))
  (last + 1).pointee.unfreeze(.references(1))
}

/// What is not committed traps, whether the map asked for guards or not.
@Suite struct ArenaGuardTests {
  @Test func inSparse() async {
    await #expect(processExitsWith: .signal(SIGSEGV)) {
      stepOverTheEnd(.sparse, .always) { FrameNumber($0.architecture.sectionFrames.rawValue - 1) }
    }
  }

  @Test func inSparseExtremeWithoutGuards() async {
    await #expect(processExitsWith: .signal(SIGSEGV)) {
      stepOverTheEnd(.sparseExtreme, .never) { FrameNumber($0.architecture.sectionFrames.rawValue - 1) }
    }
  }

  @Test func inDiscontiguous() async {
    await #expect(processExitsWith: .signal(SIGSEGV)) {
      stepOverTheEnd(.discontiguous, .checkedBuilds) {
        FrameNumber($0.memory[1].range.end, $0.shift, rounded: .down) - FrameCount(1)
      }
    }
  }

  /// A hole behind whole subsections.
  @Test func inVirtual() async {
    await #expect(processExitsWith: .signal(SIGSEGV)) {
      stepOverTheEnd(.vmemmap, .always) { _ in FrameNumber(64 << 8) - FrameCount(1) }
    }
  }

  @Test func guardsNeedNothing() throws {
    let machine = ArenaMachine.ppc64K
    let storage = try ArenaStorage(
      try machine.arena(), frames: RegionFrameSource(machine.regions, baseShift: machine.shift))
    let map = try FrameMap(try machine.layout(), model: .sparse, storage: storage, guards: .always)
    let guards = map.guards
    #expect(guards.placed == map.account().sections.rawValue && guards.missing == 0)
  }
}
