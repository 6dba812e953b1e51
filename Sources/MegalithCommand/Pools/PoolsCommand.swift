import ArgumentParser
import HostMemory
import MemoryUnits

struct PoolsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pools",
    abstract: "The pools of huge pages: sizes, nodes, who has them mapped, where they are mounted.",
    discussion: """
      "min" are the pages that stay when nobody uses them, "current" those that are there, "max" what the pool may grow to by \
      itself. The default size is marked with *. A page that several processes map counts for each of them. Without root, \
      other users' processes are told with the sum of all sizes. Nothing on the host is changed.
      """)

  @OptionGroup var host: HostOptions
  @OptionGroup var sizeOption: SizeOption
  @Option(help: "Only this node.") var node: NodeID?
  @Flag(help: "Print a document of schema megalith.pools/1.") var json = false

  func run() throws {
    try host.requireHost()
    let report = try reading { () throws(HostFileError) in try PoolReport(of: host.root) }
    let size = try sizeOption.resolved(among: report.pools.filter { $0.node == nil }.map(\.size))
    let nodes = Set(report.pools.compactMap(\.node)).sorted()
    if let node, !nodes.contains(node) {
      throw ExitStatus.usage("this host has no node \(node). Use one of \(nodes.map(\.description).joined(separator: ", ")).")
    }
    let chosen = PoolSelection(size: size, node: node)
    if json {
      print(try JSONText.make(PoolsDocument(report, chosen)))
    } else {
      for line in PoolsScreen(report, chosen, Terminal.output).lines() { print(line) }
    }
  }
}

/// Which pools to show.
struct PoolSelection {
  var size: PageSize?
  var node: NodeID?

  func includes(_ pool: HugePool) -> Bool { (size == nil || pool.size == size) && (node == nil || pool.node == node) }

  func includes(_ use: HugePageUse) -> Bool {
    (size == nil || use.size == nil || use.size == size) && (node == nil || use.node == nil || use.node == node)
  }
}
