import Hotplug
public import MemoryUnits
public import PhysicalLayout

/// A host's life as it is, and after a boot with other settings.
///
/// Both lives allocate the same, from the same seed. **Threads.** A value; each run is one thread's.
public struct WhatIf: Sendable {
  /// What is known of the host.
  public struct Host: Sendable {
    /// Its memory as it booted with.
    public var layout: BootLayout
    /// What its kernel keeps since boot, descriptors apart.
    public var kernel: ByteCount
    /// What it was told about memory.
    public var parameters: String
    /// One for each node.
    public var life: [WorkloadMix]
    /// Huge pools as they are, which the host's own settings make again after a boot.
    public var pools: [Step.PoolStep]

    public init(layout: BootLayout, kernel: ByteCount, parameters: String, life: [WorkloadMix], pools: [Step.PoolStep]) {
      self.layout = layout
      self.kernel = kernel
      self.parameters = parameters
      self.life = life
      self.pools = pools
    }
  }

  /// What is to be otherwise.
  public struct Settings: Sendable {
    /// Kernel parameters behind the host's own, of which they take the place.
    public var parameters: [(name: String, value: String)] = []
    public var policy = PolicySpec()
    /// Memory that is plugged in after the boot, as movable memory.
    public var added: [(size: ByteCount, node: NodeID)] = []

    public init() {}
  }

  public let host: Host
  public let settings: Settings
  public let length: Seconds
  public let seed: UInt64

  public init(_ host: Host, _ settings: Settings, length: Seconds, seed: UInt64) {
    self.host = host
    self.settings = settings
    self.length = length
    self.seed = seed
  }

  /// The command line of the boot with the settings: what the host was told, but for keys that are set.
  public var commandLine: KernelCommandLine {
    // A size and its number belong together, so that one of them replaces all.
    let pages = ["hugepagesz", "hugepages", "default_hugepagesz"]
    let setsPages = settings.parameters.contains { pages.contains($0.name) }
    let kept = host.parameters.split(separator: " ").map(String.init).filter { parameter in
      let name = String(parameter.prefix { $0 != "=" })
      return !settings.parameters.contains { $0.name == name } && !(setsPages && pages.contains(name))
    }
    let text = (kept + settings.parameters.map { "\($0.name)=\($0.value)" }).joined(separator: " ")
    return KernelCommandLine(parsing: Array(text.utf8))
  }

  /// The machine's owner lives on.
  ///
  /// - Parameter machine: of the host as it is, with all that it holds.
  /// - Throws, complexity: as ``LabRun/run(_:on:adopting:shouldGoOn:)``.
  public func asItIs(
    on machine: consuming LabMachine, shouldGoOn: (RunProgress) -> Bool = { _ in true }
  ) throws(LabError) -> RunTrace {
    try LabRun.run(
      scenario("The host as it is", MachineSpec(), after: []), on: machine, adopting: true, shouldGoOn: shouldGoOn)
  }

  /// The same life after a boot with the settings. The first row of counters is of the moment after the boot, with memory added and
  /// pools as they are.
  public func changed(shouldGoOn: (RunProgress) -> Bool = { _ in true }) throws(LabError) -> RunTrace {
    var spec = MachineSpec()
    spec.architecture = host.layout.architecture
    spec.commandLine = commandLine
    spec.policy = settings.policy
    spec.kernel = host.kernel
    let added = settings.added.reduce(ByteCount.zero) { $0 + $1.size }
    if added > .zero { spec.room = MachineSpec.Room(size: added) }
    let layout: BootLayout
    do throws(BootLayoutError) { layout = try BootLayout(of: boot) } catch { throw .layout(error) }
    var steps = settings.added.map { Step(.hotplug(.add($0.size, node: $0.node, memmap: .elsewhere, online: .movable))) }
    let setsPages = settings.parameters.contains { $0.name.hasPrefix("hugepages") }
    if !setsPages { steps += host.pools.map { Step(.pool($0)) } }
    return try LabRun.run(
      scenario("After a boot with the settings", spec, after: steps), on: try LabMachine(layout, spec), shouldGoOn: shouldGoOn)
  }

  /// What a kernel would be told that boots there.
  private var boot: BootDescription {
    let shift = host.layout.architecture.baseShift
    let ranges = host.layout.nodes.flatMap { node in
      node.memory.map { NodeRange(PhysicalRange($0, shift), node: node.node) }
    }
    return BootDescription(
      architecture: host.layout.architecture, firmwareMap: FirmwareMap(ranges.map { .init($0.range, .usable) }),
      topology: host.layout.nodes.count > 1 ? NUMATopology(ranges) : nil, commandLine: commandLine,
      memoryBlockSize: host.layout.memoryBlockSize)
  }

  private func scenario(_ name: String, _ spec: MachineSpec, after steps: [Step]) -> Scenario {
    var scenario = Scenario(name: name)
    scenario.story = "\(length) of a life that holds what the host holds now. Who allocates it, and for how long, is a model."
    scenario.seed = seed
    scenario.machine = spec
    scenario.sampling.tick = Seconds(10)
    scenario.sampling.counters = Seconds(max(length.rawValue / 96, 600))
    scenario.sampling.maps = Seconds(max(length.rawValue / 12, 600))
    scenario.clients = host.life.map { ClientSpec(name: WhatIf.name(of: $0, among: host.life), kind: .mix($0)) }
    // The steps' outcome, and the moment after them, are what a run begins with.
    scenario.steps =
      steps + (steps.isEmpty ? [] : [Step(.snapshot("after the boot"))])
      + [Step(.start(scenario.clients.map(\.name))), Step(.run(length))]
    return scenario
  }

  private static func name(of mix: WorkloadMix, among life: [WorkloadMix]) -> String {
    life.count == 1 ? "host" : "host's node \(mix.node)"
  }
}
