import Foundation
import FrameMap
import HostArena
import MemoryUnits
import Synchronization
import TestSupport
import Testing

/// Readers look up while memory comes and goes. Quiet under the thread sanitizer.
@Suite struct ThreadTests {
  /// A map that threads share.
  final class SharedMap: Sendable {
    let map: FrameMap<FailingStorage>
    let isDone = Atomic(false)
    let found = Atomic(0)
    let missed = Atomic(0)

    init(_ map: consuming FrameMap<FailingStorage>) { self.map = map }

    /// Looks up frames until told to stop; leaves each descriptor that it sees as it was.
    func read(on cpu: CPUIndex, seed: UInt64, frames: UInt64) {
      var random = SplitMix(seed: seed)
      while !isDone.load(ordering: .acquiring) {
        map.read(on: cpu) {
          let frame = FrameNumber(UInt64.random(in: 0..<frames, using: &random))
          // Nested sections count.
          map.read(on: cpu) { _ = map.isMemory(frame) }
          guard let descriptor = map.descriptor(frame) else {
            missed.add(1, ordering: .relaxed)
            return
          }
          // Were its storage given back meanwhile, this would leave a trace in a descriptor that must be zero.
          descriptor.pointee.mapCount.add(1, ordering: .relaxed)
          let number = map.frame(of: descriptor)
          if number == frame { found.add(1, ordering: .relaxed) }
          descriptor.pointee.mapCount.subtract(1, ordering: .relaxed)
        }
        map.read(on: cpu) {
          let start = FrameNumber(UInt64.random(in: 0..<frames - 128, using: &random))
          map.forEachRun(in: FrameRange(start: start, count: FrameCount(128))) { run in
            run.forEach { $0.pointee.flagsWord.bitwiseOr(0, ordering: .relaxed) }
          }
        }
      }
    }
  }

  @Test(arguments: MemoryModel.allCases.filter(\.canChange)) func readersNeverSeeWhatIsGone(model: MemoryModel) throws {
    let frames: UInt64 = 64 * 640
    let layout = try MapDrawing("0000 00.. 0...", limit: frames).layout
    let storage = FailingStorage()
    let shared = SharedMap(try FrameMap(layout, model: model, storage: storage, cpuLimit: CPUIndex(3), guards: .always))
    let readers = (1...2).map { cpu in
      let thread = Thread { shared.read(on: CPUIndex(UInt32(cpu)), seed: UInt64(cpu), frames: frames) }
      thread.start()
      return thread
    }
    // On a busy host threads may start after all was over.
    while shared.found.load(ordering: .relaxed) + shared.missed.load(ordering: .relaxed) == 0 { usleep(1000) }
    var random = SplitMix(seed: 9)
    let unit: UInt64 = model == .vmemmap ? 1 : 4
    for _ in 0..<150 {
      let low = UInt64.random(in: 4..<600, using: &random) * 4 / unit * unit
      let letters = low..<low + UInt64.random(in: 1...8, using: &random) * unit
      try shared.map.add(MapDrawing.frames(letters))
      // A writer may read too.
      shared.map.read(on: CPUIndex(0)) {
        shared.map.forEachRun(in: MapDrawing.frames(letters)) { run in
          run.forEach { descriptor in
            let counts = descriptor.pointee.counts
            if !counts.isZero { Issue.record("a descriptor was not zero") }
          }
        }
      }
      try shared.map.remove(MapDrawing.frames(letters))
    }
    shared.isDone.store(true, ordering: .releasing)
    while readers.contains(where: { !$0.isFinished }) { usleep(1000) }
    try shared.map.checkInvariants()
    #expect(storage.state.violations.isEmpty)
    #expect(shared.found.load(ordering: .relaxed) + shared.missed.load(ordering: .relaxed) > 0)
  }

  /// Two threads change different parts: one after the other, and nothing is lost.
  @Test(arguments: MemoryModel.allCases.filter(\.canChange)) func writersExcludeEachOther(model: MemoryModel) throws {
    let storage = FailingStorage()
    let layout = try MapDrawing("0000 00..").layout
    let shared = SharedMap(try FrameMap(layout, model: model, storage: storage, cpuLimit: CPUIndex(2)))
    let before = shared.map.memoryFrames
    let writers = (1...2).map { index in
      let thread = Thread {
        for step in 0..<60 as Range<UInt64> {
          let letters = (step * 8 + UInt64(index) * 4 + 40)..<(step * 8 + UInt64(index) * 4 + 44)
          do throws(FrameMapError) {
            try shared.map.add(MapDrawing.frames(letters))
            if step % 2 == 0 { try shared.map.remove(MapDrawing.frames(letters)) }
          } catch {
            Issue.record(error)
          }
        }
      }
      thread.start()
      return thread
    }
    while writers.contains(where: { !$0.isFinished }) { usleep(1000) }
    try shared.map.checkInvariants()
    let after = shared.map.memoryFrames
    #expect(after == before + FrameCount(2 * 30 * 64))
  }
}
