import ArgumentParser
import HostMemory
import MemoryUnits

struct ReserveCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reserve",
    abstract: "Get huge pages for the pools, or say exactly what prevented it.",
    discussion: """
      REQUESTS
        1G:16          a pool of 16 pages in all
        1G:+4          4 more than there are
        0:1G:8,1:1G:8  8 on each of two nodes

      STEPS, as far as they are needed
        setPools     ask each node's pool, the one with the least to move first
        shrinkPools  free unused smaller huge pages       --allow shrink-pools
        dropCaches   drop clean file cache and slabs      --allow drop-caches
        compact      have the kernel compact the nodes
        touch        touch memory that was kept back      --allow touch
        askAgain     ask each node's pool again
        offline      blocks offline and back              --allow offline

      Nothing is written that --dry-run does not name. Each node keeps a margin. No process is signalled; the kernel may still end \
      one where memory runs out in spite of the margin. Docs/Reserve.md has the whole contract.

      Exit code 0: everything was obtained. 2: a part, or nothing. 77: permission is missing. 130: stopped.
      """)

  @Argument(help: ArgumentHelp("What to get: [NODE:]SIZE:[+]COUNT, several with commas or blanks.", valueName: "request"))
  var requests: [String] = []
  @OptionGroup var host: HostOptions
  @Flag(help: "Print the prediction and each step; write nothing.") var dryRun = false
  @Flag(help: "Spread requests without a node evenly over the nodes.") var even = false
  @Option(help: ArgumentHelp("Stop after so long: 90, 90s, 5m or 1h.", valueName: "time")) var timeout: TimeText?
  @Option(help: ArgumentHelp("Ask for at most so much memory in one write. Default: 4G.", valueName: "size")) var maxStep:
    SizeText?
  @Option(
    help: ArgumentHelp("Keep so much available on each node. Default: 5 % of the node, and at least 1G.", valueName: "size"))
  var margin: SizeText?
  @Flag(help: "Return what was got where not all can be had.") var rollback = false
  @Option(help: ArgumentHelp("Allow a step: shrink-pools, drop-caches, touch, offline; several with commas.", valueName: "step"))
  var allow: [PermissionList] = []
  @Flag(help: "Touch memory although a hypervisor may take free memory back.") var forceTouch = false
  @Flag(help: "Put right what a reservation that was ended left behind.") var undo = false
  @Flag(help: "Print a document of schema megalith.reserve/1.") var json = false
  @Option(help: .hidden) var journal = JournalFile.standardPath

  func run() throws {
    if undo { return try runUndo() }
    guard !requests.isEmpty else { throw ExitStatus.usage("nothing is asked for. Write SIZE:COUNT, as 1G:16, 1G:+4 or 0:1G:8.") }
    guard dryRun || host.root.isLive else {
      throw ExitStatus.usage("a reservation changes the running host only. Use --dry-run with --sysroot.")
    }
    try host.requireHost()
    let reservation = try PoolCommands.asking { () throws(ReserveError) in
      try Reservation(try PoolCommands.parse(requests), options: options, of: host.root)
    }
    if dryRun { return try show(reservation) }
    try run(reservation)
  }

  private var options: ReserveOptions {
    var options = ReserveOptions()
    options.allowed = Set(allow.flatMap(\.permissions))
    options.margin = margin?.bytes
    options.timeout = timeout?.duration
    if let maxStep { options.maxStep = maxStep.bytes }
    options.isEven = even
    options.rollsBack = rollback
    options.forcesTouch = forceTouch
    return options
  }

  private func show(_ reservation: Reservation) throws {
    let plan = try PoolCommands.asking { () throws(ReserveError) in try reservation.plan(of: host.root) }
    if json {
      print(try JSONText.make(ReserveDocument(plan, options)))
    } else {
      for line in ReservePlanScreen(plan, options, Terminal.output).lines() { print(line) }
    }
    try Surveying.finish(plan.survey)
  }

  private func run(_ reservation: Reservation) throws {
    Interruption.watch()
    let control = PoolCommands.control()
    let report = try PoolCommands.asking { () throws(ReserveError) in
      try reservation.run(through: control, journal: JournalFile(path: journal)) { step in
        if !json { for line in ReserveScreen.lines(step) { print(line) } }
      }
    }
    if json {
      print(try JSONText.make(ReserveDocument(report, options)))
    } else {
      for line in ReserveScreen(report, options, Terminal.output).lines() { print(line) }
    }
    try ReserveEnd.check(report, options)
  }

  private func runUndo() throws {
    guard requests.isEmpty, !dryRun else { throw ExitStatus.usage("--undo stands alone.") }
    guard host.root.isLive else { throw ExitStatus.usage("--undo changes the running host only.") }
    let report = try PoolCommands.asking { () throws(ReserveError) in
      try ReserveUndo.run(through: PoolCommands.control(), journal: JournalFile(path: journal), path: journal)
    }
    for block in report.blocks { print("block \(block) is online again") }
    for pool in report.pools { print("\(pool.files.size) pool\(pool.files.place): \(pool.before) to \(pool.after)") }
    for note in report.notes { print(note) }
    if report.blocks.isEmpty, report.pools.isEmpty { print("Nothing was left to put right.") }
    if let trouble = report.troubles.first { throw ExitStatus.failed("\(trouble). Repair that and run --undo again.") }
  }
}

/// What reserve and release have in common.
enum PoolCommands {
  static func parse(_ texts: [String]) throws(ReserveError) -> [PoolRequest] {
    var requests: [PoolRequest] = []
    for text in texts {
      do throws(PoolRequestError) { requests += try PoolRequest.parse(text) } catch { throw .request(error) }
    }
    return requests
  }

  static func control() -> LiveControl {
    LiveControl(toucher: ["/proc/self/exe", TouchMemoryCommand.name], isInterrupted: { Interruption.isRequested })
  }

  static func asking<Value>(_ body: () throws(ReserveError) -> Value) throws(ExitStatus) -> Value {
    do throws(ReserveError) {
      return try body()
    } catch {
      switch error {
      case .request(let error): throw ExitStatus.usage("\(error)")
      case .stop(let stop): throw ExitStatus(stop)
      }
    }
  }
}

extension ExitStatus {
  init(_ stop: ReserveStop) {
    switch stop {
    case .interrupted: self = .interrupted
    case .timeout, .otherWriter: self = .inPart("\(stop).")
    case .host(let error): self.init(error)
    case .write(let error): self.init(error)
    case .journal(let error): self.init(error)
    }
  }

  init(_ error: HostWriteError) {
    switch error {
    case .denied(let path): self = .noPermission("\(path) may not be written. Run as root.")
    case .readOnly(let path):
      self = .noPermission("\(path) is on a read-only file system. Run on the host itself, not in a container.")
    case .missing(let path): self = .noInput("\(path) is not there. The kernel lacks this pool.")
    case .interrupted, .short, .failed: self = .failed("\(error).")
    }
  }

  init(_ error: ReserveJournalError) {
    switch error {
    case .unfinished: self = .failed("\(error). Run 'megalith reserve --undo' first.")
    case .running: self = .failed("\(error). Wait for its end.")
    case .none: self = .noInput("\(error).")
    case .denied(let path): self = .noPermission("\(path) may not be written. Run as root.")
    case .failed: self = .failed("\(error).")
    case .damaged: self = .badData("\(error). Look at it, and remove it.")
    }
  }
}

/// `90`, `90s`, `5m`, `1h`.
struct TimeText: ExpressibleByArgument {
  let duration: Duration

  init?(argument: String) {
    let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3600]
    let unit = argument.last.flatMap { units[$0] }
    guard let count = UInt32(unit == nil ? argument[...] : argument.dropLast()), count > 0 else { return nil }
    duration = .seconds(Int64(count) * (unit ?? 1))
  }
}

struct SizeText: ExpressibleByArgument {
  let bytes: ByteCount

  init?(argument: String) {
    guard let bytes = try? ByteCount(parsing: argument) else { return nil }
    self.bytes = bytes
  }
}

/// `drop-caches,touch`
struct PermissionList: ExpressibleByArgument {
  let permissions: [ReservePermission]

  init?(argument: String) {
    let permissions = argument.split(separator: ",", omittingEmptySubsequences: false).map {
      ReservePermission(rawValue: String($0))
    }
    guard !permissions.isEmpty, !permissions.contains(nil) else { return nil }
    self.permissions = permissions.compactMap(\.self)
  }
}
