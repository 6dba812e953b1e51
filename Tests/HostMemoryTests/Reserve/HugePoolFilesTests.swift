import HostMemory
import MemoryUnits
import PhysicalLayout
import SystemPackage
import TestSupport
import Testing

@Suite struct HugePoolFilesTests {
  private static let files = HugePoolFiles(size: VerdictTests.huge, node: nil)
  private static let path = "sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"

  private func host() throws -> FolderControl { FolderControl(try HostDrawing("........").write()) }

  private func thrown(_ body: () throws(HostWriteError) -> Void) -> HostWriteError? {
    do throws(HostWriteError) {
      try body()
      return nil
    } catch {
      return error
    }
  }

  @Test func aPoolIsReadAndSet() throws {
    let host = try host()
    try Self.files.setPersistent(HugePageCount(7), through: host)
    try Self.files.setOvercommit(HugePageCount(3), through: host)
    try host.folder.write("\(Self.files.folder)/surplus_hugepages", "2\n")
    try host.folder.write("\(Self.files.folder)/free_hugepages", "4\n")
    try host.folder.write("\(Self.files.folder)/resv_hugepages", "1\n")
    let pool = try Self.files.read(of: host.root)
    #expect(pool.total == HugePageCount(7) && pool.persistent == HugePageCount(5) && pool.unused == HugePageCount(3))
    #expect(pool.overcommit == HugePageCount(3) && pool.files == Self.files)
    #expect(host.writes.map(\.path) == [Self.path, Self.files.overcommitPath])
    #expect(host.writes.map(\.text) == ["7\n", "3\n"])
  }

  @Test func aNodesPoolHasItsOwnFiles() throws {
    let files = HugePoolFiles(size: VerdictTests.huge, node: NodeID(3))
    #expect(files.totalPath == "sys/devices/system/node/node3/hugepages/hugepages-2048kB/nr_hugepages")
  }

  @Test(arguments: [
    (Errno.permissionDenied, HostWriteError.denied(path: path)), (.notPermitted, .denied(path: path)),
    (.readOnlyFileSystem, .readOnly(path: path)), (.noSuchFileOrDirectory, .missing(path: path)),
    (.invalidArgument, .failed(path: path, code: 22)),
  ])
  func whatTheKernelRefusesIsTold(error: Errno, expected: HostWriteError) throws {
    let host = try host()
    host.faults[Self.path] = [.error(error)]
    #expect(thrown { () throws(HostWriteError) in try Self.files.setPersistent(HugePageCount(1), through: host) } == expected)
    #expect(host.writes.isEmpty)
  }

  @Test func anInterruptedWriteIsDoneAgain() throws {
    let host = try host()
    host.faults[Self.path] = [.error(.interrupted), .error(.interrupted)]
    try Self.files.setPersistent(HugePageCount(1), through: host)
    #expect(host.writes.count == 1)
    host.faults[Self.path] = [.error(.interrupted), .error(.interrupted), .error(.interrupted)]
    #expect(
      thrown { () throws(HostWriteError) in try Self.files.setPersistent(HugePageCount(2), through: host) }
        == .interrupted(path: Self.path))
    host.faults[Self.path] = [.error(.interrupted)]
    host.isInterrupted = true
    #expect(
      thrown { () throws(HostWriteError) in try Self.files.setPersistent(HugePageCount(2), through: host) }
        == .interrupted(path: Self.path))
    #expect(host.writes.count == 1)
  }

  @Test func aShortWriteIsAnError() throws {
    let host = try host()
    host.faults[Self.path] = [.short(1)]
    #expect(
      thrown { () throws(HostWriteError) in try Self.files.setPersistent(HugePageCount(12), through: host) }
        == .short(path: Self.path, written: 1, of: 3))
  }
}
