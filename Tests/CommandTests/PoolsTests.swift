import Foundation
import TestSupport
import Testing

@Suite struct PoolsTests {
  private func host() throws -> TemporaryFolder {
    try HostFixture.write(
      HostFixture.pool(2048, perNode: [8, 0], free: 3, reserved: 1, surplus: 2, overcommit: 4)
        + HostFixture.pool(1_048_576, perNode: [2, 2], free: 1)
        + "== proc/meminfo\nMemTotal: 4194304 kB\nHugepagesize: 2048 kB\n== proc/zoneinfo\n"
        + "== proc/mounts\nhugetlbfs /dev/hugepages hugetlbfs rw,pagesize=2M,size=64M 0 0\n"
        + "== proc/7/status\nName:\tqemu\nHugetlbPages:\t 3145728 kB\n"
        + "== proc/7/numa_maps\n2a default file=/x huge N0=1 N1=2 kernelpagesize_kB=1048576\n")
  }

  @Test func theTablesTellPoolsNodesUsersAndMounts() throws {
    let folder = try host()
    let outcome = try Command.run("pools", "--sysroot", folder.path)
    #expect(outcome.code == 0, "\(outcome.errors)")
    #expect(
      outcome.output == """
        pool  min  current  max  free  reserved  surplus  default
        2M      6        8   10     3         1        2  *
        1G      4        4    4     1         0        0

        pool  node  current  free  surplus  mapped
        2M       0        8     3        2       0
        1G       0        2     1        0       1
        2M       1        0     0        0       0
        1G       1        2     0        0       2

        process  name  pool  node  mapped  pages
              7  qemu  1G       0   1 GiB      1
              7  qemu  1G       1   2 GiB      2

        mounted at      pool  at least  at most
        /dev/hugepages  2M           -   64 MiB

        """)
  }

  @Test func theDocumentHasTheSame() throws {
    let folder = try host()
    let outcome = try Command.run("pools", "--json", "--node", "1", "--size", "1G", "--sysroot", folder.path)
    let document = try #require(try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
    #expect(document["schema"] as? String == "megalith.pools/1")
    #expect(document["defaultSize"] as? String == "2M")
    let pools = try #require(document["pools"] as? [[String: Any]])
    #expect(pools.count == 1 && pools[0]["current"] as? Int == 2 && pools[0]["node"] as? Int == 1)
    let users = try #require(document["users"] as? [[String: Any]])
    let uses = try #require(users.first?["uses"] as? [[String: Any]])
    #expect(uses.map { $0["bytes"] as? Int } == [2 << 30])
  }

  @Test func whatTheHostLacksIsAUsageError() throws {
    let folder = try host()
    let node = try Command.run("pools", "--node", "7", "--sysroot", folder.path)
    #expect(node.code == 64 && node.errors == "megalith: this host has no node 7. Use one of 0, 1.\n")
    let size = try Command.run("pools", "--size", "3G", "--sysroot", folder.path)
    #expect(size.code == 64 && size.errors == "megalith: this host has no 3G pages. Use one of 2M, 1G.\n")
    let bare = try HostFixture.write("== proc/zoneinfo\n== proc/meminfo\nMemTotal: 1 kB\n")
    let none = try Command.run("pools", "--sysroot", bare.path)
    #expect(none.code == 66 && none.errors.hasPrefix("megalith: sys/kernel/mm/hugepages is not there."))
  }
}
