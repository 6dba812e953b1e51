import Foundation
import MemoryUnits
import PhysicalLayout
import TestSupport
import Testing

@testable import HostMemory

/// What is kept where over a boot, and what stands in its way.
@Suite struct PersistTests {
  static func host(_ name: String, _ more: String = "", without: String = "") throws -> (TemporaryFolder, PersistHost) {
    let text = try FixtureFolder("persist").text("\(name).host.txt")
    let folder = try HostFixture.write((without.isEmpty ? text : text.replacingOccurrences(of: without, with: "")) + more)
    return (folder, try PersistHost(of: Sysroot(folder.path)))
  }

  private func plan(_ pools: String, _ way: PersistWay = .automatic, on host: PersistHost) throws -> PersistPlan {
    try PersistPlan(try PoolWish.parse(pools), way: way, on: host)
  }

  private func conflict(
    _ pools: String, _ way: PersistWay = .automatic, _ name: String = "x86_64", _ more: String = "", without: String = ""
  ) throws -> PersistConflict? {
    let (_, host) = try Self.host(name, more, without: without)
    let wishes = try PoolWish.parse(pools)
    do throws(PersistConflict) {
      _ = try PersistPlan(wishes, way: way, on: host)
      return nil
    } catch {
      return error
    }
  }

  @Test(arguments: [
    ("1G:16", ["1G - 16"]), ("0:1G:8,1:1G:4", ["1G 0 8", "1G 1 4"]), ("2048K:512,1GiB:1", ["2M - 512", "1G - 1"]),
    ("2M:0", ["2M - 0"]),
  ]) func wishesAreRead(text: String, expected: [String]) throws {
    let wishes = try PoolWish.parse(text)
    #expect(wishes.map { "\($0.size) \($0.node?.description ?? "-") \($0.count)" } == expected)
  }

  @Test(arguments: [
    ("1G", PoolWishError.shape("1G")), ("", .shape("")), ("1G:2,", .shape("")), ("0:1:1G:2", .shape("0:1:1G:2")),
    ("3G:1", .size("3G")), ("0:1G:-1", .count("-1")), ("a:1G:1", .node("a")), ("4294967296:1G:1", .node("4294967296")),
    ("1G:+4", .count("+4")), ("1G:99999999999", .tooLarge("1G:99999999999")),
  ]) func otherTextsAreNoWishes(text: String, expected: PoolWishError) {
    #expect(throws: expected) { try PoolWish.parse(text).count }
  }

  @Test func giganticPagesGoOnTheCommandLine() throws {
    let (_, host) = try Self.host("x86_64")
    let plan = try plan("2M:512,1G:16", on: host)
    #expect(plan.parameters == ["hugepagesz=1G", "hugepages=16"])
    #expect(plan.defaultPool == HugePageCount(512))
    #expect(plan.runtimePools.isEmpty)
    let perNode = try self.plan("1:1G:8,0:1G:4,0:2M:100", on: host)
    #expect(perNode.parameters == ["hugepagesz=1G", "hugepages=0:4,1:8"])
    #expect(perNode.defaultPool == nil && perNode.runtimePools.map(\.node) == [NodeID(0)])
  }

  @Test func eachWayPutsPoolsInItsPlace() throws {
    let (_, host) = try Self.host("x86_64")
    #expect(
      try plan("1G:16,2M:512", .boot, on: host).parameters == ["hugepagesz=1G", "hugepages=16", "hugepagesz=2M", "hugepages=512"])
    let late = try plan("1G:16,2M:512", .runtime, on: host)
    #expect(late.parameters.isEmpty && late.runtimePools.count == 1 && late.defaultPool != nil)
    #expect(late.notes.contains { $0.contains("may give fewer") })
    let area = try plan("0:1G:8,1:1G:4,2M:512", .area, on: host)
    #expect(area.parameters == ["hugetlb_cma=0:8G,1:4G"] && area.runtimePools.count == 2)
    #expect(!area.notes.contains { $0.contains("may give fewer") })
    #expect(try plan("1G:16", .area, on: host).parameters == ["hugetlb_cma=16G"])
  }

  @Test func architecturesDiffer() throws {
    let (_, arm) = try Self.host("arm64-64k")
    #expect(arm.architecture?.name == "arm64-64k")
    // 512M is the largest block of the lists there, and so not gigantic.
    let plan = try plan("16G:4,512M:8,2M:100", on: arm)
    #expect(plan.parameters == ["hugepagesz=16G", "hugepages=4"])
    #expect(plan.defaultPool == HugePageCount(8) && plan.runtimePools.count == 1)
    let (_, power) = try Self.host("ppc64")
    #expect(power.architecture?.name == "ppc64-64k")
    let perNode = try self.plan("0:16G:2,16M:64", on: power)
    #expect(perNode.parameters.isEmpty && perNode.runtimePools.count == 1)
    #expect(perNode.notes.contains { $0.contains("hash page table") })
    #expect(try conflict("0:16G:2", .boot, "ppc64") == .bootCannotNameNodes(PageSize(shift: PageShift(34)), isPower: true))
  }

  /// Linux 6.12 on POWER with a radix tree sets no pages aside for `hugepages=0:2,1:1`, and three for `hugepages=3`.
  @Test func powerWithARadixTreeNamesNoNodesEither() throws {
    let (_, power) = try Self.host("ppc64-radix")
    #expect(power.sizes == [21, 30].map { PageSize(shift: PageShift($0)) } && power.isPower && !power.hasHashTable)
    #expect(try conflict("0:1G:2", .boot, "ppc64-radix") == .bootCannotNameNodes(PageSize(shift: PageShift(30)), isPower: true))
    let perNode = try plan("0:1G:2,1:1G:1", on: power)
    #expect(perNode.parameters.isEmpty && perNode.runtimePools.count == 2)
    let total = try plan("1G:3", on: power)
    #expect(total.parameters == ["hugepagesz=1G", "hugepages=3"])
    #expect(!total.notes.contains { $0.contains("hash page table") })
    let (_, arm) = try Self.host("arm64-16k")
    #expect(arm.architecture?.name == "arm64-16k" && !arm.isPower)
    #expect(try plan("1:1G:1,32M:4", on: arm).parameters == ["hugepagesz=1G", "hugepages=1:1"])
  }

  @Test func whatTheHostLacksIsRefused() throws {
    let gigabyte = PageSize(shift: PageShift(30))
    let sizes = [21, 29, 34].map { PageSize(shift: PageShift($0)) }
    #expect(try conflict("1G:1", .automatic, "arm64-64k") == .unknownSize(gigabyte, known: sizes, architecture: "arm64-64k"))
    #expect(try conflict("7:1G:1") == .unknownNode(NodeID(7), known: [NodeID(0), NodeID(1)]))
    #expect(try conflict("1G:1,1G:2") == .repeated(try PoolWish.parse("1G:2")[0]))
    #expect(try conflict("1G:1,0:1G:2") == .nodesAndTotal(gigabyte))
    #expect(try conflict("2M:1", .area) == .nothingForArea)
    #expect(try conflict("1G:64") == .tooMuch(.gibibytes(64), memory: .kibibytes(65_700_000)))
    #expect(try conflict("1G:9999999999,2M:8796093022207")?.isUsage == true)
  }

  private func grub(_ text: String) -> String { "== etc/default/grub.d/50-site.cfg\n# site\nGRUB_CMDLINE_LINUX=\"\(text)\"\n" }

  @Test func settingsThatAreThereAreHeeded() throws {
    let place = SettingPlace(path: "etc/default/grub.d/50-site.cfg", line: LineNumber(2))
    let gigabyte = PageSize(shift: PageShift(30))
    #expect(try conflict("1G:1", .automatic, "x86_64", grub("hugepages=4 hugepagesz=1G")) == .amountBeforeSize(place))
    #expect(try conflict("1G:1", .automatic, "x86_64", grub("hugepagesz=1G hugepages=4")) == .namedElsewhere(gigabyte, place))
    #expect(
      try conflict("1G:1", .automatic, "x86_64", grub("default_hugepagesz=1G hugepages=4")) == .namedElsewhere(gigabyte, place))
    #expect(try conflict("1G:1", .automatic, "x86_64", grub("hugepages=4")) == nil)
    #expect(try conflict("1G:1", .boot, "x86_64", grub("hugetlb_cma=4G")) == .areaAndBootPages(gigabyte, place))
    #expect(try conflict("1G:1", .area, "x86_64", grub("hugetlb_cma=4G")) == .areaTwice(place))
    #expect(try conflict("1G:1", .area, "x86_64", grub("hugepagesz=1G hugepages=4")) == .areaAndBootPages(gigabyte, place))
    #expect(try conflict("1G:1", .runtime, "x86_64", grub("hugepages=4 hugepagesz=1G")) == nil)
    let (_, host) = try Self.host("x86_64", grub("hugetlb_cma=4G"))
    let plan = try plan("1G:1", on: host)
    #expect(plan.parameters.isEmpty && plan.runtimePools.count == 1)
    #expect(plan.notes.contains { $0.hasPrefix("\(place) has hugetlb_cma=") })
  }

  @Test func olderKernelsCannotNameNodes() throws {
    let size = PageSize(shift: PageShift(30))
    let old = "== proc/version\nLinux version 5.10.0\n"
    #expect(try conflict("0:1G:1", .boot, "x86_64", old) == .bootCannotNameNodes(size, isPower: false))
    #expect(try conflict("0:1G:1", .automatic, "x86_64", old) == nil)
    #expect(
      try conflict("1G:1", .area, "x86_64", "== proc/version\nLinux version 5.4.0\n").map { "\($0)" }?.hasPrefix("Linux 5.4.0")
        == true)
  }

  @Test func notesTellOfTheKubeletOtherFilesAndTheRunningKernel() throws {
    let (_, host) = try Self.host("x86_64", "== proc/cmdline\nhugepages=4 hugepagesz=1G\n")
    let notes = try plan("2M:512,1G:16", on: host).notes
    #expect(notes.contains { $0.contains("kubelet") })
    #expect(notes.contains("etc/sysctl.d/90-db.conf:2 sets vm.nr_hugepages too, after our file. Remove it there."))
    #expect(notes.contains { $0.hasPrefix("proc/cmdline has hugepages= before its hugepagesz=") })
    #expect(notes.contains { $0.contains("'hugepages=4 hugepagesz=1G'") })
    let (_, plain) = try Self.host("arm64-64k")
    #expect(try plan("2M:5", on: plain).notes.isEmpty)
  }

  @Test func anArchitectureStandsInForAHost() throws {
    let folder = try TemporaryFolder()
    let host = try PersistHost(of: Sysroot(folder.path), architecture: .s390x)
    #expect(try plan("3:2G:4,1M:10", on: host).parameters == ["hugepagesz=2G", "hugepages=3:4"])
    #expect(try plan("1M:10", on: host).defaultPool == HugePageCount(10))
    #expect(throws: HostFileError.missing(path: "sys/kernel/mm/hugepages")) { try PersistHost(of: Sysroot(folder.path)).sizes }
  }

  @Test func filesOfAnotherMachineCountForNothing() throws {
    let (folder, _) = try Self.host("x86_64", grub("hugetlb_cma=4G hugepagesz=16G hugepages=4"))
    let host = try PersistHost(of: Sysroot(folder.path), architecture: .arm64Granule64K)
    #expect(host.isOtherMachine && !host.hasKubelet && host.nodes.isEmpty)
    #expect(try plan("5:16G:900", on: host).parameters == ["hugepagesz=16G", "hugepages=5:900"])
    #expect(try !PersistHost(of: Sysroot(folder.path), architecture: .x86_64).isOtherMachine)
  }

  @Test func architecturesKnowTheirDefaultSize() {
    let sizes = Architecture.allPresets.map { "\($0.name) \($0.defaultHugeSize?.description ?? "-")" }
    #expect(
      sizes == [
        "x86_64 2M", "i386-pae 2M", "arm64-4k 2M", "arm64-16k 32M", "arm64-64k 512M", "ppc64-64k 16M", "s390x 1M", "riscv64 2M",
      ])
  }
}
