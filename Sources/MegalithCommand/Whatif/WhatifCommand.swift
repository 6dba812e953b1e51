import ArgumentParser
import FrameMap
import HostArena
import HostMemory
import Lab
import Megalith
import MemoryUnits
import PhysicalLayout

struct WhatifCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "whatif",
    abstract: "What this host could give in some days, as it is and after a boot with other settings.",
    discussion: """
      Makes a machine of the host and lets it live on; boots another of the same memory with the settings, and lets it live as \
      long. Tells for each page size what could be had now, then, right after the boot, and then. Nothing on the host is changed.

      The memory map is the host's. Who allocates is a model: the host's own amounts (file cache, anonymous memory, slab, page \
      tables, kernel stacks), each with the lifetimes of the server workload. The same seed gives the same lives.

      SETTINGS
        kernel parameters: \(WhatifSettings.parameterNames.joined(separator: ", "))
        policies of the allocator: \(WhatifSettings.policyNames.joined(separator: ", ")) (Docs/Scenarios.md)

      EXIT CODES
        0   done
        1   memory could not be plugged in, or a pool not made (what happened is printed)
        64  an unknown setting or size
        65  no such machine can be
        130 stopped by Ctrl-C

      EXAMPLE
        megalith whatif --sysroot host.capture --set hugetlb_cma=8G,movablecore=50% --add 16G@node0 --days 7
      """)

  @OptionGroup var host: HostOptions
  @OptionGroup var sizeOption: SizeOption
  @Option(
    name: .customLong("set"),
    help: ArgumentHelp("Settings of the boot, as movablecore=50%,group=1G. May be repeated.", valueName: "key=value,..."))
  var sets: [String] = []
  @Option(help: ArgumentHelp("Plug in memory after the boot, as movable memory. May be repeated.", valueName: "size@node"))
  var add: [String] = []
  @Option(help: ArgumentHelp("How long a life is, as 7 or 0.5.", valueName: "n")) var days = 7.0
  @Option(help: ArgumentHelp("What chance is made from.", valueName: "n")) var seed: UInt64 = 1
  @Flag(help: "Print a document of schema megalith.whatif/1.") var json = false
  @Option(help: ArgumentHelp("Also write the life with the settings as a page for a browser.", valueName: "file"))
  var html: String?

  func validate() throws {
    guard days >= 0.01, days <= 3650 else { throw ValidationError("--days takes a number from 0.01 to 3650") }
  }

  func run() throws {
    var settings = try WhatifSettings(sets, adding: add)
    try host.requireHost()
    Interruption.watchOnce()
    let survey = try Surveying.run(host, sizeOption)
    try Surveying.finish(survey)
    let owner = CapturedFolios()
    let machine: Machine<HostStorage>
    do throws(CapturedMachineError) {
      machine = try Machine(survey, of: host.root, owner: owner)
    } catch {
      throw ExitStatus(error)
    }
    // Days from now a kernel has done what it does in passing.
    owner.settle(machine.zones, on: CPUIndex(0))
    owner.handOver(machine.zones, limit: nil)
    let layout = machine.layout
    try settings.check(layout)
    let life = try HostLife(survey, layout, of: host.root)
    let length = Seconds(rawValue: UInt64((days * 8640).rounded(.down)) * 10)
    let whatIf = WhatIf(
      WhatIf.Host(
        layout: layout, kernel: life.kernel, parameters: survey.reports.commandLine ?? "", life: life.mixes,
        pools: life.pools),
      settings.settings, length: length, seed: seed)
    var captured: LabMachine? = LabMachine(machine, owner: owner)
    let now = try run("as it is:") { (body) throws(LabError) in
      guard let machine = captured.take() else { preconditionFailure("a host lives twice") }
      return try whatIf.asItIs(on: machine, shouldGoOn: body)
    }
    let changed = try run("with the settings:") { (body) throws(LabError) in try whatIf.changed(shouldGoOn: body) }
    let result = WhatifResult(
      survey: survey, asItIs: now, changed: changed, life: life, settings: settings, length: length, seed: seed)
    if let html { try OutputFile.replace(html, with: HTMLReport(changed).text) }
    if json {
      print(try JSONText.make(WhatifDocument(result)))
    } else {
      for line in WhatifScreen(result, Terminal.output).lines() { print(line) }
    }
    if !result.isComplete { throw ExitStatus.failed("not all settings took effect; see what happened after the boot.") }
  }

  private func run(
    _ what: String, _ body: ((RunProgress) -> Bool) throws(LabError) -> RunTrace
  ) throws(ExitStatus) -> RunTrace {
    let line = RunProgressLine(what)
    defer { line.clear() }
    let trace: RunTrace
    do throws(LabError) {
      trace = try body { progress in
        line.show(progress)
        return !Interruption.isRequested
      }
    } catch {
      throw ExitStatus(error)
    }
    if Interruption.isRequested { throw .interrupted }
    return trace
  }
}
