import ArgumentParser
import HostMemory
import MemoryUnits
import PhysicalLayout

struct ReleaseCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "release",
    abstract: "Give unused huge pages back to the host.",
    discussion: """
      1G:4 gives back 4 pages, 0:1G:4 those of node 0; without a node, the pools with the most free pages give first. Pages that \
      are in use or promised stay.

      Exit code 0: all were given back. 2: fewer were unused. 77: permission is missing.
      """)

  @Argument(help: ArgumentHelp("What to give back: [NODE:]SIZE:COUNT, several with commas or blanks.", valueName: "request"))
  var requests: [String]
  @OptionGroup var host: HostOptions
  @Flag(help: "Print what would be written; write nothing.") var dryRun = false
  @Flag(help: "Print a document of schema megalith.release/1.") var json = false

  func run() throws {
    guard dryRun || host.root.isLive else {
      throw ExitStatus.usage("a release changes the running host only. Use --dry-run with --sysroot.")
    }
    try host.requireHost()
    let release = try PoolCommands.asking { () throws(ReserveError) in
      try PoolRelease(try PoolCommands.parse(requests), of: host.root)
    }
    if dryRun {
      if json { return print(try JSONText.make(ReleaseDocument(release, nil))) }
      for part in release.plans.flatMap(\.parts) { print("would write \(part.files.totalPath): \(part.to)   (now \(part.from))") }
      return try finish(release.plans.map { ($0, $0.released) }, verb: "can be given back")
    }
    Interruption.watch()
    let report = release.run(through: PoolCommands.control())
    if json {
      print(try JSONText.make(ReleaseDocument(release, report)))
    } else {
      for pool in report.pools { print("\(pool.files.size) pool\(pool.files.place): \(pool.before) to \(pool.after) pages") }
    }
    if let stop = report.stop { throw ExitStatus(stop) }
    try finish(release.plans.map { plan in (plan, plan.released(in: report)) }, verb: "were given back")
  }

  private func finish(_ results: [(plan: PoolRelease.Plan, released: HugePageCount)], verb: String) throws {
    for (plan, released) in results where released < plan.asked {
      throw ExitStatus.inPart(
        "\(released) of \(plan.asked) \(plan.request.size) pages \(verb); the others are in use, promised or not there.")
    }
  }
}

extension PoolRelease.Plan {
  /// What a run came to for this request.
  fileprivate func released(in report: PoolRelease.Report) -> HugePageCount {
    let files = Set(parts.map(\.files))
    return report.pools.filter { files.contains($0.files) }.reduce(.zero) { $0 + $1.before.saturatingSubtracting($1.after) }
  }
}

/// `megalith.release/1`. Pages are numbers; keys are only ever added.
struct ReleaseDocument: Encodable {
  let schema = "megalith.release/1"
  let isDryRun: Bool
  let requests: [Request]
  let pools: [Pool]
  let stop: String?

  struct Request: Encodable {
    let size: String
    let node: UInt32?
    let asked: UInt64
    let unused: UInt64
  }

  struct Pool: Encodable {
    let size: String
    let node: UInt32?
    let path: String
    let before: UInt64
    let after: UInt64
  }

  init(_ release: PoolRelease, _ report: PoolRelease.Report?) {
    isDryRun = report == nil
    requests = release.plans.map {
      Request(
        size: "\($0.request.size)", node: $0.request.node?.rawValue, asked: $0.asked.rawValue, unused: $0.released.rawValue)
    }
    let changes =
      report.map { $0.pools.map { ($0.files, $0.before, $0.after) } }
      ?? release.plans.flatMap(\.parts).map { ($0.files, $0.from, $0.to) }
    pools = changes.map {
      Pool(size: "\($0.size)", node: $0.node?.rawValue, path: $0.totalPath, before: $1.rawValue, after: $2.rawValue)
    }
    stop = report?.stop.map { "\($0)" }
  }
}
