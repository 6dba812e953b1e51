public import MemoryUnits

/// Memory that a toucher holds; what it holds ends with its process.
public protocol TouchedMemory: AnyObject {
  /// Takes memory of one node and writes to each of its pages.
  ///
  /// - Returns: whether there was any.
  func hold(_ size: ByteCount, on node: NodeID) -> Bool
}

/// The child's work: holds memory piece by piece until the kernel has handed over everything, or a limit is reached.
public struct Toucher {
  private let root: Sysroot
  private let limits: TouchLimits
  private let memory: any TouchedMemory
  private let now: () -> Duration
  /// Whether the parent is gone or wants the end.
  private let isStopped: () -> Bool

  public init(
    of root: Sysroot, _ limits: TouchLimits, _ memory: any TouchedMemory, now: @escaping () -> Duration,
    isStopped: @escaping () -> Bool
  ) {
    self.root = root
    self.limits = limits
    self.memory = memory
    self.now = now
    self.isStopped = isStopped
  }

  /// Touches node after node. A node that comes to its margin ends that node only; other limits end all.
  public func run() throws(HostFileError) -> TouchReport {
    let start = now()
    var touched = ByteCount.zero
    var last = TouchReport.End.handedOver
    for node in limits.nodes {
      while true {
        if isStopped() { return TouchReport(touched: touched, end: .interrupted) }
        if let time = limits.time, now() - start >= time { return TouchReport(touched: touched, end: .time) }
        if try isPressed() { return TouchReport(touched: touched, end: .pressure) }
        if let left = GroupMemory.left(of: root), left < limits.chunk * 2 { return TouchReport(touched: touched, end: .group) }
        let deferred = try DeferredMemory(of: root)
        if deferred.bytes < DeferredMemory.least { return TouchReport(touched: touched, end: .handedOver) }
        var options = ReserveOptions()
        options.margin = limits.margin
        // Memory that is handed over late comes as soon as it is needed.
        let room = try NodeRoom(of: root, options).room(on: node, with: deferred.bytes(of: node))
        if room < limits.chunk {
          last = .margin
          break
        }
        guard memory.hold(limits.chunk, on: node) else {
          last = .noMemory
          break
        }
        touched += limits.chunk
      }
    }
    return TouchReport(touched: touched, end: last)
  }

  /// Linux: the `some` line of `/proc/pressure/memory`. Kernels without it press nobody.
  private func isPressed() throws(HostFileError) -> Bool {
    guard root.exists("proc/pressure/memory") else { return false }
    let line = try root.readLine("proc/pressure/memory")
    guard let word = line.split(separator: " ").first(where: { $0.hasPrefix("avg10=") }),
      let percent = UInt64(word.dropFirst(6).prefix { $0 != "." })
    else { return false }
    return percent >= limits.pressure
  }
}

/// Memory that the kernel counts as its allocator's and has not given to it yet.
struct DeferredMemory {
  /// Less is what kernels keep or round.
  static let least = ByteCount.mebibytes(64)

  let bytes: ByteCount
  private let missing: [NodeID: ByteCount]

  init(of root: Sysroot) throws(HostFileError) {
    let baseShift = try HostReports.baseShift(of: root)
    let zones = try ZoneReport.parse(try root.readText("proc/zoneinfo"), path: "proc/zoneinfo")
    let numbers = try KeyedNumbers(parsing: try root.readText("proc/meminfo"), path: "proc/meminfo")
    let managed = zones.reduce(FrameCount.zero) { $0 + $1.managed }
    bytes = (numbers.bytes("MemTotal") ?? .zero).saturatingSubtracting(ByteCount(managed, baseShift))
    var missing: [NodeID: ByteCount] = [:]
    for zone in zones where zone.name != "Device" {
      missing[zone.node, default: .zero] += ByteCount(zone.present - zone.managed, baseShift)
    }
    self.missing = missing
  }

  /// At most so much of it is a node's: the kernel tells the sum only, and keeps some of what it was not given.
  func bytes(of node: NodeID) -> ByteCount { min(bytes, missing[node] ?? .zero) }
}
