import Foundation
import HostMemory
import MemoryUnits
import PhysicalLayout
import TestSupport
import Testing

/// The journal in its file, and what is read of a host for margins and limits.
@Suite struct JournalTests {
  private func thrown<Value>(_ body: () throws(ReserveJournalError) -> Value) -> ReserveJournalError? {
    do throws(ReserveJournalError) {
      _ = try body()
      return nil
    } catch {
      return error
    }
  }

  @Test func aJournalIsWrittenTakenOverAndEnded() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/below/reserve.journal"
    #expect(
      thrown { () throws(ReserveJournalError) in try JournalFile(path: path).takeOver() } == ReserveJournalError.none(path: path))
    do {
      let journal = JournalFile(path: path)
      try journal.begin()
      try journal.append("boot one")
      try journal.append("pool 0 1G 0 4")
      // Its writer lives.
      #expect(thrown { () throws(ReserveJournalError) in try JournalFile(path: path).begin() } == .running(path: path))
      #expect(thrown { () throws(ReserveJournalError) in try JournalFile(path: path).takeOver() } == .running(path: path))
    }
    #expect(thrown { () throws(ReserveJournalError) in try JournalFile(path: path).begin() } == .unfinished(path: path))
    // A line without an end was cut off; what it announces was not done.
    let file = try #require(FileHandle(forWritingAtPath: path))
    try file.seekToEnd()
    try file.write(contentsOf: Data("block 7".utf8))
    try file.close()
    let later = JournalFile(path: path)
    #expect(try later.takeOver() == ["boot one", "pool 0 1G 0 4"])
    try later.finish()
    #expect(!FileManager.default.fileExists(atPath: path))
  }

  @Test(arguments: ["pool 0 1G 4", "block x Normal", "chair 1 2", "pool q 1G 0 1", "pool 0 3G 0 1"])
  func aDamagedJournalIsLeftAlone(line: String) throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/reserve.journal"
    try folder.write("reserve.journal", "boot -\n\(line)\n")
    let trial = try ReserveTrial("........")
    #expect(throws: ReserveError.stop(.journal(.damaged(path: path, line: LineNumber(2))))) {
      try ReserveUndo.run(through: trial.kernel, journal: JournalFile(path: path), path: path)
    }
    #expect(FileManager.default.fileExists(atPath: path) && trial.kernel.writes.isEmpty)
  }

  @Test func availableMemoryOfANode() throws {
    let folder = try TemporaryFolder()
    try folder.write(
      "proc/zoneinfo",
      """
      Node 0, zone      DMA
        per-node stats
            nr_inactive_file 3000
            nr_active_file 1000
            nr_slab_reclaimable 100
        pages free     1000
              min      10
              low      200
              high     300
              spanned  8000
              present  8000
              managed  8000
              protection: (0, 0, 50, 50)
        start_pfn:           0
      Node 1, zone   Normal
        per-node stats
            nr_inactive_file 7
        pages free     100
              min      10
              low      200
              high     300
              spanned  8000
              present  8000
              managed  8000
        start_pfn:           8000

      """)
    let nodes = try NodeMemory.all(of: Sysroot(folder.path))
    // 1000 free, of 4000 in the cache all but 200, of 100 in slabs half; 350 are kept.
    #expect(nodes.map(\.available) == [FrameCount(1000 + 3800 + 50 - 350), .zero])
    #expect(nodes.map(\.present) == [FrameCount(8000), FrameCount(8000)])
  }

  @Test func theTightestControlGroupCounts() throws {
    let folder = try TemporaryFolder()
    let root = Sysroot(folder.path)
    #expect(GroupMemory.left(of: root) == nil)
    try folder.write("proc/self/cgroup", "4:cpu,memory:/a/b\n0::/x\n")
    #expect(GroupMemory.left(of: root) == nil)
    try folder.write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")
    try folder.write("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "5000\n")
    try folder.write("sys/fs/cgroup/memory/a/memory.usage_in_bytes", "1000\n")
    #expect(GroupMemory.left(of: root) == ByteCount(4000))
    try folder.write("sys/fs/cgroup/x/memory.max", "max\n")
    #expect(GroupMemory.left(of: root) == ByteCount(4000))
    try folder.write("sys/fs/cgroup/x/memory.max", "70\n")
    try folder.write("sys/fs/cgroup/x/memory.current", "100\n")
    #expect(GroupMemory.left(of: root) == .zero)
  }

  @Test func whatTakesMemoryBackIsFound() throws {
    let folder = try TemporaryFolder()
    let root = Sysroot(folder.path)
    try folder.write("sys/bus/virtio/drivers/virtio_balloon/bind", "")
    #expect(TouchHazard.find(on: root).isEmpty)
    try folder.write("sys/bus/virtio/drivers/virtio_balloon/virtio3/features", "0110000100\n")
    #expect(TouchHazard.find(on: root) == [.balloon("virtio3")])
    try folder.write("sys/bus/virtio/drivers/virtio_balloon/virtio3/features", "0110010100\n")
    #expect(TouchHazard.find(on: root) == [.balloon("virtio3"), .freePageReporting])
  }

  @Test func limitsPassToTheChildAndBack() {
    var limits = TouchLimits(nodes: [NodeID(0), NodeID(3)], margin: .gibibytes(1), time: .milliseconds(1500))
    #expect(TouchMessage.limits(TouchMessage.arguments(limits)) == limits)
    limits.margin = nil
    limits.time = nil
    #expect(TouchMessage.limits(TouchMessage.arguments(limits)) == limits)
    for wrong in [["", "-", "-"], ["0", "x", "-"], ["0", "-", "-1"], ["0", "-"]] { #expect(TouchMessage.limits(wrong) == nil) }
  }
}
