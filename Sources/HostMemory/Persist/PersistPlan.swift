import MemoryUnits
public import PhysicalLayout

/// How pools are to be kept over a boot.
public enum PersistWay: String, Sendable, CaseIterable {
  /// Gigantic pages by the command line, the others by settings after the boot.
  case automatic = "auto"
  /// All by the command line.
  case boot
  /// None by the command line.
  case runtime
  /// Gigantic pages after the boot, out of a contiguous area that the boot sets aside. Linux: `hugetlb_cma=`.
  case area
}

/// Which file or parameter keeps each pool that is wanted: a value, from which texts are made.
public struct PersistPlan: Sendable {
  /// By the command line, sizes descending. Linux: `hugepagesz=`, `hugepages=`.
  public private(set) var bootPages: [HugePageRequest] = []
  /// By the command line. Linux: `hugetlb_cma=`.
  public private(set) var area: HugePageArea?
  /// The default pool, by sysctl. Linux: `vm.nr_hugepages`.
  public private(set) var defaultPool: HugePageCount?
  /// One by one after the boot, sizes descending, then nodes.
  public private(set) var runtimePools: [PoolWish] = []
  /// What the operator should know, a sentence or two each.
  public internal(set) var notes: [String] = []

  /// Decides, and checks the result against the host.
  ///
  /// - Throws: ``PersistConflict`` where the kernel would not do what the plan says.
  public init(_ wishes: [PoolWish], way: PersistWay, on host: PersistHost) throws(PersistConflict) {
    try Self.check(wishes, host)
    let hasArea = host.settings.area != nil
    let groups = Dictionary(grouping: wishes, by: \.size).sorted { $0.key > $1.key }
    for (size, wishes) in groups {
      let wishes = wishes.sorted { ($0.node?.rawValue ?? 0) < ($1.node?.rawValue ?? 0) }
      let isGigantic = host.isGigantic(size)
      let namesNodes = wishes.contains { $0.node != nil }
      let canBoot = (!namesNodes || host.bootPagesNameNodes) && !(isGigantic && hasArea)
      switch way {
      case .boot: addBoot(size, wishes)
      case .automatic where isGigantic && canBoot: addBoot(size, wishes)
      case .automatic, .runtime, .area:
        if size == host.defaultSize, !namesNodes {
          defaultPool = wishes[0].count
        } else {
          runtimePools += wishes
        }
      }
    }
    if way == .area { area = try Self.area(for: wishes.filter { host.isGigantic($0.size) }) }
    try checkBoot(way, host)
    try checkText()
    addNotes(way, host)
  }

  private mutating func addBoot(_ size: PageSize, _ wishes: [PoolWish]) {
    let shares = wishes.compactMap { wish in wish.node.map { NodeHugePages(node: $0, count: wish.count) } }
    bootPages.append(HugePageRequest(size: size, amount: shares.isEmpty ? .total(wishes[0].count) : .perNode(shares)))
  }

  /// As much as all gigantic pages take, by node where they name nodes.
  private static func area(for wishes: [PoolWish]) throws(PersistConflict) -> HugePageArea {
    guard !wishes.isEmpty else { throw .nothingForArea }
    func sum(_ wishes: [PoolWish]) -> ByteCount { wishes.reduce(.zero) { $0 + ($1.bytes ?? .zero) } }
    let nodes = Set(wishes.compactMap(\.node)).sorted()
    guard !nodes.isEmpty else { return .total(sum(wishes)) }
    guard wishes.allSatisfy({ $0.node != nil }) else { throw .nodesAndTotalInArea }
    return .perNode(nodes.map { node in NodeBytes(node: node, size: sum(wishes.filter { $0.node == node })) })
  }

  /// Parameters for the command line, in the order in which they must stand.
  public var parameters: [String] {
    var words: [String] = []
    switch area {
    case .total(let size)?: words.append("hugetlb_cma=\(size)")
    case .perNode(let shares)?:
      words.append("hugetlb_cma=" + shares.map { "\($0.node):\($0.size)" }.joined(separator: ","))
    case nil: break
    }
    for request in bootPages {
      guard let size = request.size else { continue }
      words.append("hugepagesz=\(size)")
      switch request.amount {
      case .total(let count): words.append("hugepages=\(count)")
      case .perNode(let shares):
        words.append("hugepages=" + shares.map { "\($0.node):\($0.count)" }.joined(separator: ","))
      }
    }
    return words
  }
}

extension PersistPlan {
  private static func check(_ wishes: [PoolWish], _ host: PersistHost) throws(PersistConflict) {
    guard !wishes.isEmpty else { throw .nothingWanted }
    var total: UInt64 = 0
    for (index, wish) in wishes.enumerated() {
      guard host.sizes.contains(wish.size) else {
        throw .unknownSize(wish.size, known: host.sizes, architecture: host.architecture?.name)
      }
      if let node = wish.node, !host.nodes.isEmpty, !host.nodes.contains(node) { throw .unknownNode(node, known: host.nodes) }
      for other in wishes[..<index] where other.size == wish.size {
        if other.node == wish.node { throw .repeated(wish) }
        if other.node == nil || wish.node == nil { throw .nodesAndTotal(wish.size) }
      }
      let (sum, overflowed) = total.addingReportingOverflow(wish.bytes?.rawValue ?? .max)
      total = overflowed ? .max : sum
    }
    if total == .max { throw .tooMuch(ByteCount(total), memory: host.memory) }
    if let memory = host.memory, ByteCount(total) > memory { throw .tooMuch(ByteCount(total), memory: memory) }
  }

  /// What the kernel would pass over, and what would pass over the plan.
  private func checkBoot(_ way: PersistWay, _ host: PersistHost) throws(PersistConflict) {
    guard !bootPages.isEmpty || area != nil else { return }
    if let place = host.settings.reversedAmount { throw .amountBeforeSize(place) }
    for request in bootPages {
      guard let size = request.size else { continue }
      if host.isGigantic(size), let place = host.settings.area { throw .areaAndBootPages(size, place) }
      if case .perNode = request.amount, !host.bootPagesNameNodes { throw .bootCannotNameNodes(size, isPower: host.isPower) }
      if let place = host.settings.bootPages(of: size, defaultSize: host.defaultSize) { throw .namedElsewhere(size, place) }
    }
    guard area != nil else { return }
    if let release = host.release, !release.isAtLeast(5, 7) { throw .noAreas(release) }
    if case .perNode? = area, let release = host.release, !release.isAtLeast(5, 16) { throw .noAreas(release) }
    if let place = host.settings.areaInFiles { throw .areaTwice(place) }
    if let (size, place) = host.settings.giganticBootPages(host) { throw .areaAndBootPages(size, place) }
  }

  /// The kernel's own reading of the text gives the plan back.
  private func checkText() throws(PersistConflict) {
    let text = parameters.joined(separator: " ")
    let line = KernelCommandLine(parsing: Array(text.utf8))
    guard line.problems.isEmpty, line.hugePages == bootPages, line.hugePageArea == area else { throw .unreadable(text) }
  }
}
