import MemoryUnits
import PhysicalLayout

/// What a step needs to know of the host to plan.
struct ReserveSituation {
  let survey: Survey
  let room: NodeRoom
  let pools: [HugePool]
  /// Pages that are promised to mappings; the kernel does not say on which node they will be taken.
  let reserved: [PageSize: HugePageCount]
  let places: PoolPlaces
  let goals: [PoolGoal]
  let hazards: [TouchHazard]
  /// What the control groups of this process leave it.
  let groupMemory: ByteCount?
  let options: ReserveOptions

  init(of root: Sysroot, goals: [PoolGoal], places: PoolPlaces, options: ReserveOptions) throws(HostFileError) {
    let sizes = Set(goals.map(\.size)).sorted()
    survey = try Survey(of: root, sizes: sizes)
    room = try NodeRoom(of: root, options)
    var pools: [HugePool] = []
    for files in places.all { pools.append(try files.read(of: root)) }
    self.pools = pools
    var reserved: [PageSize: HugePageCount] = [:]
    for size in places.sizes { reserved[size] = try HugePoolFiles(size: size, node: nil).read(of: root).reserved }
    self.reserved = reserved
    self.places = places
    self.goals = goals
    hazards = TouchHazard.find(on: root)
    groupMemory = GroupMemory.left(of: root)
    self.options = options
  }

  var baseShift: PageShift { survey.reports.baseShift }

  func persistent(_ files: HugePoolFiles) -> HugePageCount { pools.first { $0.files == files }?.persistent ?? .zero }

  func missing(_ goal: PoolGoal) -> HugePageCount {
    let held = places.places(of: goal.size, on: goal.node).reduce(HugePageCount.zero) { $0 + persistent($1) }
    return goal.target.saturatingSubtracting(held)
  }

  var missingSizes: [PageSize] { Set(goals.filter { missing($0) > .zero }.map(\.size)).sorted(by: >) }

  /// Nodes on which pages are missing, or may come from; nil for a host without nodes.
  var concernedNodes: [NodeID?] {
    var nodes: [NodeID?] = []
    for goal in goals where missing(goal) > .zero {
      for place in places.places(of: goal.size, on: goal.node) where !nodes.contains(place.node) { nodes.append(place.node) }
    }
    return nodes
  }

  var freeMemory: ByteCount { survey.reports.zones.reduce(.zero) { $0 + ByteCount($1.free, baseShift) } }

  func result(of size: PageSize) -> SizeResult? { survey.sizes.first { $0.size == size } }

  /// Pages that the kernel would give for a pool now; zero where the frames could not be read.
  func obtainable(_ place: HugePoolFiles) -> HugePageCount {
    guard let result = result(of: place.size) else { return .zero }
    guard let node = place.node else { return HugePageCount(result.obtainable) }
    return result.obtainableByNode[node] ?? .zero
  }

  /// Frames to move for each page that a pool would get.
  private func work(_ place: HugePoolFiles) -> UInt64 {
    guard let node = place.node, let result = result(of: place.size), let count = result.obtainableByNode[node],
      count > .zero
    else { return 0 }
    return (result.workByNode[node] ?? .zero).rawValue / count.rawValue
  }

  /// Pools in the order of least work, those that promise nothing last.
  func order(_ places: [HugePoolFiles]) -> [HugePoolFiles] {
    places.sorted { left, right in
      let promises = (obtainable(left), obtainable(right))
      if (promises.0 == .zero) != (promises.1 == .zero) { return promises.1 == .zero }
      let works = (work(left), work(right))
      if works.0 != works.1 { return works.0 < works.1 }
      if promises.0 != promises.1 { return promises.0 > promises.1 }
      return (left.node?.rawValue ?? 0) < (right.node?.rawValue ?? 0)
    }
  }

  /// Blocked ranges of the missing sizes whose hardest remedy is `remedy`: at most so many pages more.
  func gain(after remedy: Remedy) -> [PageSize: HugePageCount] {
    var gain: [PageSize: HugePageCount] = [:]
    for size in missingSizes {
      let count = HugePageCount(result(of: size)?.remedies[remedy] ?? 0)
      if count > .zero { gain[size] = min(count, missing(of: size)) }
    }
    return gain
  }

  func promised(of size: PageSize) -> HugePageCount { reserved[size] ?? .zero }

  func missing(of size: PageSize) -> HugePageCount {
    goals.filter { $0.size == size }.reduce(.zero) { $0 + missing($1) }
  }
}
