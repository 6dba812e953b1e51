import MemoryUnits
import PhysicalLayout
import TestSupport
import Testing

private func line(_ text: String) -> KernelCommandLine { KernelCommandLine(parsing: Array(text.utf8)) }
private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
private let page2M = PageSize(shift: PageShift(21))
private let page1G = PageSize(shift: PageShift(30))

@Suite struct KernelCommandLineTests {
  @Test func splitsAsTheKernelDoes() {
    let parsed = line("  a=1 \"b c=d e\" f=\"g h\" i-j=k\"l m\" dup==x -- mem=1G")
    #expect(parsed.parameters.map { text($0.name) } == ["a", "b c", "f", "i_j", "dup"])
    #expect(parsed.parameters.map { $0.value.map(text) } == ["1", "d e", "g h", "k\"l m\"", "=x"])
    #expect(parsed.parameters.map { text($0.text) } == ["a=1", "\"b c=d e\"", "f=\"g h\"", "i-j=k\"l m\"", "dup==x"])
    #expect(parsed.mapDirectives.isEmpty)
  }

  @Test func hugePagesFollowTheirSizes() {
    let parsed = line("hugepages=5 hugepagesz=1G hugepages=0:2,1:5 hugepagesz=2M hugepages=512")
    #expect(
      parsed.hugePages == [
        HugePageRequest(size: nil, amount: .total(HugePageCount(5))),
        HugePageRequest(
          size: page1G,
          amount: .perNode([
            NodeHugePages(node: NodeID(0), count: HugePageCount(2)), NodeHugePages(node: NodeID(1), count: HugePageCount(5)),
          ])),
        HugePageRequest(size: page2M, amount: .total(HugePageCount(512))),
      ])
    #expect(parsed.hugePages[1].amount.count == HugePageCount(7))
    #expect(parsed.problems.isEmpty)
    let byDefault = line("default_hugepagesz=1G hugepages=2 default-hugepagesz=2M")
    #expect(byDefault.defaultHugePageSize == page1G)
    #expect(byDefault.hugePages == [HugePageRequest(size: page1G, amount: .total(HugePageCount(2)))])
    #expect(byDefault.problems.map(\.reason) == [.repeated])
    // The number before speaks about the default size, the one after about the same size by its name.
    let both = line("hugepages=5 default_hugepagesz=1G hugepages=3")
    #expect(both.hugePages.map(\.size) == [nil, page1G] && both.problems.isEmpty)
    let twice = line("hugepagesz=1G hugepages=2 default_hugepagesz=1G hugepages=3")
    #expect(twice.hugePages.map(\.size) == [page1G] && twice.problems.map(\.reason) == [.withoutSize])
    let again = line("default_hugepagesz=1G hugepagesz=1G hugepages=3")
    #expect(again.hugePages.map(\.size) == [page1G] && again.problems.isEmpty)
  }

  @Test(
    arguments: [
      ("hugepagesz=3M hugepages=5", ["hugepagesz=3M": CommandLineProblem.Reason.notAPageSize, "hugepages=5": .withoutSize]),
      ("hugepagesz=1G hugepages=1 hugepages=2", ["hugepages=2": .withoutSize]),
      ("hugepagesz=1G hugepages=1 hugepagesz=1G", ["hugepagesz=1G": .repeated]),
      ("memmap=x", ["memmap=x": .noNumber]), ("memmap", ["memmap": .noValue]),
      ("memmap=1M@", ["memmap=1M@": .noNumber]), ("memmap=1M$1Gx", ["memmap=1M$1Gx": .trailingText]),
      ("memmap=1M@0xffffffffffffffff", ["memmap=1M@0xffffffffffffffff": .tooLarge]),
      ("mem=99999999999999999999", ["mem=99999999999999999999": .tooLarge]), ("mem=16E", ["mem=16E": .tooLarge]),
      ("mem=0", ["mem=0": .noNumber]), ("mem=nopentium", [:]), ("kernelcore=101%", ["kernelcore=101%": .percentAbove100]),
      ("movablecore=mirror", ["movablecore=mirror": .noNumber]), ("numa=maybe", ["numa=maybe": .unknownWord]),
      ("transparent_hugepage=often", ["transparent_hugepage=often": .unknownWord]),
      ("hugetlb_free_vmemmap=maybe", ["hugetlb_free_vmemmap=maybe": .unknownWord]),
      ("hugepages=1:", ["hugepages=1:": .noNumber]), ("memhp_default_state=up", ["memhp_default_state=up": .unknownWord]),
    ] as [(String, [String: CommandLineProblem.Reason])])
  func problemsAreCollected(command: String, expected: [String: CommandLineProblem.Reason]) {
    let found = line(command).problems
    #expect(Dictionary(uniqueKeysWithValues: found.map { (text($0.text), $0.reason) }) == expected)
  }

  @Test func otherKeys() {
    let parsed = line(
      "hugetlb_cma=0:2G,1:1G cma=64M@0-4G kernelcore=30% movablecore=2G movable_node numa=fake=2U "
        + "memory_hotplug.memmap_on_memory=force memhp_default_state=online_movable hugetlb_free_vmemmap=on "
        + "transparent_hugepage=madvise")
    #expect(
      parsed.hugePageArea
        == .perNode([NodeBytes(node: NodeID(0), size: .gibibytes(2)), NodeBytes(node: NodeID(1), size: .gibibytes(1))]))
    #expect(
      parsed.contiguousArea
        == ContiguousAreaRequest(size: .mebibytes(64), start: PhysicalAddress(0), end: PhysicalAddress(4 << 30)))
    #expect(parsed.kernelCore == .percent(Percent(30)))
    #expect(parsed.movableCore == .size(.gibibytes(2)))
    #expect(parsed.isHotpluggableMovable)
    #expect(parsed.nodeOption == .emulated(.perNode(NodeCount(2))))
    #expect(parsed.selfHosting == .forced)
    #expect(parsed.onlinePolicy == .onlineMovable)
    #expect(parsed.freesHugePageDescriptors == true)
    #expect(parsed.transparentHugePages == .onAdvice)
    #expect(parsed.problems.isEmpty)
    #expect(line("kernelcore=1G kernelcore=mirror").kernelCore == .mirror)
    #expect(line("hugetlb_cma=4G").hugePageArea == .total(.gibibytes(4)))
    #expect(line("numa=fake=4").nodeOption == .emulated(.count(NodeCount(4))))
    #expect(line("numa=fake=512M").nodeOption == .emulated(.size(.mebibytes(512))))
    #expect(line("numa=off").nodeOption == .off)
    #expect(line("memory_hotplug.memmap_on_memory=Y").selfHosting == .on)
  }

  @Test func memoryKeysAloneHaveTheSameEffect() {
    let full = line("root=/dev/secret hugepagesz=1G user=\"my name\" hugepages=4 memmap=64K$1M password=x mem=oops -- mem=1G")
    #expect(text(full.memoryKeysOnly) == "hugepagesz=1G hugepages=4 memmap=64K$1M mem=oops")
    let again = KernelCommandLine(parsing: full.memoryKeysOnly)
    #expect(again.hugePages == full.hugePages)
    #expect(again.mapDirectives == full.mapDirectives)
    #expect(again.memoryKeysOnly == full.memoryKeysOnly)
  }
}
