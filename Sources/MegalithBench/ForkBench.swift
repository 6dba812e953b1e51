import AddressSpaces
import ArgumentParser
import HostArena
import HugePools
import Megalith
import MemoryUnits

struct ForkBench: Suite {
  static let configuration = CommandConfiguration(
    commandName: "fork",
    abstract: "Forking a space of huge pages, and destroying the child.",
    discussion: """
      Time of one fork, or one destroy, of a space whose private mapping is faulted in for writing, metadata only. Before each fork the \
      parent writes to every page again, untimed, so that all of them are its own and each entry has to be made read-only.

      fork/1G            64 GiB in 64 pages of 1 GiB
      fork/2M            1 GiB in 512 pages of 2 MiB
      fork/<page>/destroy   the child's end
      """)

  @OptionGroup var options: BenchOptions
  @OptionGroup var parts: BenchParts

  /// Forks of a round, of which the median counts.
  private static let forks = 16

  static func measure(_ options: BenchOptions, into report: inout Report) throws {
    let cases: [(page: PinnedPage, amount: ByteCount, total: ByteCount, target: Double?)] = [
      (.gigantic, .gibibytes(64), .gibibytes(72), 50_000), (.huge, .gibibytes(1), .gibibytes(8), nil),
    ]
    for one in cases {
      let ids = ["fork/\(one.page.rawValue)", "fork/\(one.page.rawValue)/destroy"]
      guard ids.contains(where: options.wants) else { continue }
      let ground = try PinGround(.vmemmap, one.page, total: one.total, amount: one.amount)
      let samples = interleaved([ground], rounds: options.roundCount) { ground in
        nonisolated(unsafe) var figures: [Double] = []
        onThreads(1) { _ in figures = ground.forks(Self.forks, one.page.size) }
        return figures
      }[0]
      for (index, id) in ids.enumerated() where options.wants(id) {
        report.rows.append(Row(id: id, samples: samples[index], baselines: [], target: index == 0 ? one.target : nil))
      }
      try ground.finish()
    }
  }
}

extension PinGround {
  /// - Returns: nanoseconds of a fork, and of a destroy.
  fileprivate func forks(_ count: Int, _ size: PageSize) -> [Double] {
    var (forks, ends) = (Samples(), Samples())
    for _ in 0..<count {
      var address = range.start
      while address < range.end {
        mustNot { () throws(FaultError) in try machine.memory.fault(address, .write, in: space, on: Self.cpu) }
        address += size.bytes
      }
      var child: AddressSpace?
      forks.add(timed { child = fork() })
      guard let child else { continue }
      ends.add(timed { machine.memory.destroy(child, on: Self.cpu) })
    }
    return [forks.median, ends.median]
  }

  private func fork() -> AddressSpace? {
    var child: AddressSpace?
    mustNot { () throws(MappingError) in child = try machine.memory.fork(space, on: Self.cpu) }
    return child
  }
}
