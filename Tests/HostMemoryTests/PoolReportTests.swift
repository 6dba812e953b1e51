import MemoryUnits
import PhysicalLayout
import TestSupport
import Testing

@testable import HostMemory

/// Who has pages of pools mapped, and where they are mounted.
@Suite struct PoolReportTests {
  static let maps = """
    00400000 default file=/usr/bin/postgres mapped=12 N0=12 kernelpagesize_kB=4
    2aaa00000000 default file=/dev/hugepages/a huge dirty=3 N0=2 N1=1 kernelpagesize_kB=1048576
    2aab00000000 default file=/anon_hugepage\\040(deleted) huge anon=5 dirty=5 N1=5 kernelpagesize_kB=2048
    2aac00000000 default file=/dev/hugepages/b huge dirty=1 N0=1 kernelpagesize_kB=1048576
    2aad00000000 default file=/dev/hugepages/empty huge

    """
  static let mappings = """
    2aaa00000000-2aaac0000000 rw-s 00000000 00:2a 1 /dev/hugepages/a
    KernelPageSize:  1048576 kB
    Shared_Hugetlb:  3145728 kB
    Private_Hugetlb:       0 kB
    2aab00000000-2aab00a00000 rw-p 00000000 00:0f 2 /anon_hugepage (deleted)
    KernelPageSize:     2048 kB
    Shared_Hugetlb:        0 kB
    Private_Hugetlb:   10240 kB

    """

  private func use(_ size: ByteCount, _ node: UInt32?, _ bytes: ByteCount) -> HugePageUse {
    HugePageUse(size: PageSize(exactly: size), node: node.map { NodeID($0) }, bytes: bytes)
  }

  @Test func pagesAreToldBySizeAndNode() throws {
    let uses = try HugePageUser.numaMaps(bytes(Self.maps), path: "numa_maps")
    #expect(
      uses == [
        use(.mebibytes(2), 1, .mebibytes(10)), use(.gibibytes(1), 0, .gibibytes(3)), use(.gibibytes(1), 1, .gibibytes(1)),
      ])
  }

  @Test func mappingsTellSizesAlone() throws {
    let uses = try HugePageUser.mappings(bytes(Self.mappings), path: "smaps")
    #expect(uses == [use(.mebibytes(2), nil, .mebibytes(10)), use(.gibibytes(1), nil, .gibibytes(3))])
  }

  private func host(_ files: String) throws -> TemporaryFolder {
    try HostFixture.write(
      HostFixture.pool(2048, perNode: [8, 0], free: 3, reserved: 1, surplus: 2, overcommit: 4)
        + "== proc/meminfo\nMemTotal: 4194304 kB\nHugepagesize: 2048 kB\n" + files)
  }

  @Test func theBestSourceOfEachProcessIsTaken() throws {
    let status = "VmPTE: 8 kB\nHugetlbPages:\t 4204544 kB\n"
    let folder = try host(
      "== proc/7/status\nName:\tqemu\n\(status)== proc/7/numa_maps\n\(Self.maps)"
        + "== proc/8/status\nName:\tdpdk\n\(status)== proc/8/smaps\n\(Self.mappings)"
        + "== proc/9/status\nName:\thidden\n\(status)"
        + "== proc/10/status\nName:\tbash\nHugetlbPages:\t0 kB\n== proc/11/status\nName:\tkthreadd\n")
    let report = try PoolReport(of: Sysroot(folder.path))
    #expect(report.users.map(\.name) == ["qemu", "dpdk", "hidden"])
    #expect(report.users.map(\.uses.count) == [3, 2, 1])
    #expect(report.users[2].uses == [HugePageUse(size: nil, node: nil, bytes: .kibibytes(4_204_544))])
  }

  @Test func minimumAndMaximumFollowFromTheCounters() throws {
    let folder = try host("")
    let report = try PoolReport(of: Sysroot(folder.path))
    let pool = try #require(report.pools.first { $0.node == nil })
    #expect(pool.persistent == HugePageCount(6))
    #expect(pool.maximum == HugePageCount(10))
    #expect(report.defaultSize == PageSize(exactly: .mebibytes(2)))
    #expect(report.pools.filter { $0.node != nil }.map(\.maximum) == [nil, nil])
  }

  @Test func mountsTellSizesAndLimits() throws {
    let mounts = try HugePageMount.parse(
      bytes(
        "proc /proc proc rw 0 0\nhugetlbfs /dev/hugepages hugetlbfs rw,relatime,pagesize=2M 0 0\n"
          + "none /mnt/huge\\0401g hugetlbfs rw,pagesize=1024M,size=4G,min_size=1G 0 0\nnone /plain hugetlbfs rw 0 0\n"),
      path: "proc/mounts")
    #expect(mounts.map(\.folder) == ["/dev/hugepages", "/mnt/huge\\0401g", "/plain"])
    #expect(mounts.map(\.size) == [PageSize(exactly: .mebibytes(2)), PageSize(exactly: .gibibytes(1)), nil])
    #expect(mounts.map(\.limit) == [nil, .gibibytes(4), nil])
    #expect(mounts.map(\.minimum) == [nil, .gibibytes(1), nil])
  }

  @Test func damageIsNamed() {
    for text in [
      "x huge N0=1\n", "x huge N0=y kernelpagesize_kB=2048\n", "x huge N0=1 kernelpagesize_kB=z\n",
      "x huge N0=1099511627775 N0=1099511627775 kernelpagesize_kB=1073741824\n", "x huge N0=1 kernelpagesize_kB=3\n",
    ] {
      #expect(throws: HostFileError.self, "\(text)") { try HugePageUser.numaMaps(bytes(text), path: "p").count }
    }
    #expect(throws: HostFileError.self) { try HugePageUser.mappings(bytes("Shared_Hugetlb: 4 kB\n"), path: "p").count }
    #expect(throws: HostFileError.self) { try HugePageMount.parse(bytes("a b hugetlbfs size=x 0 0\n"), path: "p").count }
    #expect(throws: HostFileError.self) { try HugePageMount.parse(bytes("a b\n"), path: "p").count }
  }

  @Test func aKernelWithoutPoolsHasNothingToReport() throws {
    let folder = try HostFixture.write("== proc/meminfo\nMemTotal: 1 kB\n")
    #expect(throws: HostFileError.missing(path: "sys/kernel/mm/hugepages")) {
      try PoolReport(of: Sysroot(folder.path)).pools.count
    }
  }
}
