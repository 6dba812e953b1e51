import ArgumentParser
import CBaselines
import FrameAllocator
import FrameMap
import Glibc
import HostArena
import Hotplug
import Megalith
import MemoryUnits
import PhysicalLayout
import Synchronization

struct HotplugBench: Suite {
  static let configuration = CommandConfiguration(
    commandName: "hotplug",
    abstract: "Memory that comes and goes, metadata only.",
    discussion: """
      A machine of 8 GiB in two nodes, with a virtual memmap and blocks of 128 MiB. add+online is 1 TiB at once; online/memmap is the \
      online alone, with descriptors in the memory, elsewhere, and eight times as many of them; offline/block takes one free block. \
      other-node is an allocation and a free on one node, in time of the thread itself and not of the clock: on a machine without room \
      for more memory, with nobody else at work, while another thread only computes, while it maps memory and gives it back, which is \
      what storage for descriptors takes, and while it adds and removes memory of the other node.
      """)

  @OptionGroup var options: BenchOptions
  @OptionGroup var parts: BenchParts

  static func measure(_ options: BenchOptions, into report: inout Report) throws {
    try terabyte(options, into: &report)
    try block(options, into: &report)
    try otherNode(options, into: &report)
  }

  private static let tebibyte = FrameRange(start: FrameNumber(1 << 28), count: FrameCount(1 << 28))

  private static func machine(
    descriptor: ByteCount = ByteCount(64), processors: UInt32 = 1, hasRoom: Bool = true
  ) throws -> Machine<HostStorage> {
    var architecture = Architecture.x86_64
    architecture.descriptorSize = descriptor
    let memory = try PhysicalMemory(total: .gibibytes(8), nodes: [.gibibytes(4), .gibibytes(4)], architecture: architecture)
    var policy = MachinePolicy()
    policy.processors = CPUIndexLimit(processors)
    var own = HotplugPolicy()
    own.hostingUnit = .eachBlock
    if hasRoom { policy.hotplug = HotplugRoom(limit: PhysicalAddress(4 << 40), policy: own) }
    return try Machine(BootLayout(of: memory.boot()), model: .vmemmap, policy: policy)
  }

  private static func terabyte(_ options: BenchOptions, into report: inout Report) throws {
    let id = "hotplug/1T/add+online"
    let onlineIDs = ["hotplug/1T/online/elsewhere", "hotplug/1T/online/memmap-64", "hotplug/1T/online/memmap-512"]
    guard options.wants(id) || onlineIDs.contains(where: { options.wants($0) }) else { return }
    var whole = Samples()
    var online = [Samples(), Samples(), Samples()]
    for round in 0...options.roundCount {
      for (place, size) in [UInt64(64), 64, 512].enumerated() {
        let machine = try machine(descriptor: ByteCount(size))
        let start = now()
        // Descriptors of 1 TiB would not find room in 8 GiB.
        let range = place == 0 ? FrameRange(start: tebibyte.start, count: FrameCount(1 << 24)) : tebibyte
        try machine.add(range, memmap: place == 0 ? .elsewhere : .fromRange)
        let added = now()
        try machine.online(range, .movable)
        let end = now()
        guard round > 0 else { continue }
        if place == 1 { whole.add(Double(end - start)) }
        // A smaller range counts as if it were of the same size.
        online[place].add(Double(end - added) * Double(tebibyte.count / range.count))
      }
    }
    if options.wants(id) { report.rows.append(Row(id: id, samples: whole, baselines: [], target: 50_000_000)) }
    for (id, samples) in zip(onlineIDs, online) where options.wants(id) {
      report.rows.append(Row(id: id, samples: samples, baselines: [], target: nil))
    }
  }

  private static func block(_ options: BenchOptions, into report: inout Report) throws {
    let id = "hotplug/128M/offline"
    guard options.wants(id) else { return }
    let machine = try machine()
    let range = FrameRange(start: tebibyte.start, count: FrameCount(1 << 15))
    try machine.add(range, memmap: .fromRange)
    var offline = Samples()
    for round in 0...options.roundCount * 10 {
      try machine.online(range, .movable)
      let start = now()
      try machine.offline(range)
      let time = now() - start
      if round > 0 { offline.add(Double(time)) }
    }
    report.rows.append(Row(id: id, samples: offline, baselines: [], target: 100_000))
  }

  private enum Company: CaseIterable {
    case none, computing, mapping, hotplug

    var id: String {
      switch self {
      case .none: "alone"
      case .computing: "beside-computing"
      case .mapping: "beside-mapping"
      case .hotplug: "pair"
      }
    }
  }

  private final class Shared: Sendable {
    let machine: Machine<HostStorage>
    let stops = Atomic(false)
    let times = Atomic(UInt64(0))
    let adds = Atomic(0)
    let work = Atomic(UInt64(0))
    init(_ machine: consuming Machine<HostStorage>) { self.machine = machine }

    /// Nanoseconds of `count` allocations and frees on the node that keeps its memory. Where processors are shared with others the clock
    /// would count these too.
    func pairs(_ count: Int) -> UInt64 {
      let request = FrameRequest(.movable, node: NodeID(1))
      let start = threadTime()
      for _ in 0..<count {
        guard let folio = try? machine.allocate(Order(0), request, on: CPUIndex(1)) else { continue }
        machine.free(folio, on: CPUIndex(1))
      }
      return threadTime() - start
    }

    /// The same on a thread of its own, beside another one.
    func pairs(_ count: Int, beside company: Company) -> UInt64 {
      stops.store(company == .none, ordering: .releasing)
      onThreads(2) { [self] thread in
        guard thread == 0 else { return keepCompany(company) }
        times.store(pairs(count), ordering: .relaxed)
        stops.store(true, ordering: .releasing)
      }
      return times.load(ordering: .relaxed)
    }

    private func keepCompany(_ company: Company) {
      let storage = HostStorage()
      let size = ByteCount.mebibytes(64)
      let start = company == .mapping ? try? storage.reserve(size, for: .tables) : nil
      while !stops.load(ordering: .acquiring) {
        switch company {
        case .none: return
        case .computing: for number in 0..<UInt64(1000) { work.store(number, ordering: .relaxed) }
        case .mapping:
          guard let start, (try? storage.commit(start, size, for: .tables)) != nil else { return }
          for page in stride(from: 0, to: Int(size.rawValue), by: 1 << 16) {
            start.storeBytes(of: 1, toByteOffset: page, as: UInt8.self)
          }
          storage.decommit(start, size)
        case .hotplug: guard comeAndGo() else { return }
        }
      }
      if let start { storage.release(start, size) }
    }

    /// Memory of the other node comes and goes.
    private func comeAndGo() -> Bool {
      let range = FrameRange(start: tebibyte.start, count: FrameCount(1 << 21))
      guard (try? machine.add(range, node: NodeID(0), memmap: .fromRange)) != nil,
        (try? machine.online(range, .movable)) != nil, (try? machine.offline(range)) != nil, (try? machine.remove(range)) != nil
      else { return false }
      adds.wrappingAdd(1, ordering: .relaxed)
      return true
    }
  }

  private static func otherNode(_ options: BenchOptions, into report: inout Report) throws {
    let id = "hotplug/other-node/pair"
    guard options.wants(id) else { return }
    try requireProcessors(2)
    let shared = Shared(try machine(processors: 2))
    let fixed = Shared(try machine(processors: 2, hasRoom: false))
    var without = Samples()
    var samples = Company.allCases.map { _ in Samples() }
    let count = options.quick ? 100_000 : 1_000_000
    for round in 0...options.roundCount {
      let usual = fixed.pairs(count, beside: .none)
      if round > 0 { without.add(Double(usual) / Double(count)) }
      for (place, company) in Company.allCases.enumerated() {
        let time = shared.pairs(count, beside: company)
        if round > 0 { samples[place].add(Double(time) / Double(count)) }
      }
    }
    report.rows.append(Row(id: "hotplug/other-node/no-room", samples: without, baselines: [], target: nil))
    for (company, samples) in zip(Company.allCases, samples) {
      report.rows.append(Row(id: "hotplug/other-node/\(company.id)", samples: samples, baselines: [], target: nil))
    }
    report.remarks.append("\(id): \(shared.adds.load(ordering: .relaxed)) times 8 GiB came and went on the other node meanwhile")
  }
}

/// Nanoseconds that the thread has had of a processor.
private func threadTime() -> UInt64 {
  var time = timespec()
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
  return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
