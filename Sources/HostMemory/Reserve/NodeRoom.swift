import MemoryUnits

/// What nodes have above their margins.
struct NodeRoom {
  private let memory: [NodeMemory]
  private let baseShift: PageShift
  private let margin: ByteCount?

  init(of root: Sysroot, _ options: ReserveOptions) throws(HostFileError) {
    memory = try NodeMemory.all(of: root)
    baseShift = try HostReports.baseShift(of: root)
    margin = options.margin
  }

  /// What must stay available on a node.
  func margin(of memory: NodeMemory) -> ByteCount {
    margin ?? ReserveOptions.defaultMargin(of: ByteCount(memory.present, baseShift))
  }

  /// Of a node, or of the whole host.
  func room(on node: NodeID?) -> ByteCount {
    memory.filter { node == nil || $0.node == node }.reduce(.zero) {
      $0 + ByteCount($1.available, baseShift).saturatingSubtracting(margin(of: $1))
    }
  }

  var byNode: [NodeID: ByteCount] {
    var rooms: [NodeID: ByteCount] = [:]
    for memory in memory { rooms[memory.node] = room(on: memory.node) }
    return rooms
  }

  /// Of one node, where so much more comes as soon as it is needed.
  func room(on node: NodeID, with later: ByteCount) -> ByteCount {
    guard let memory = memory.first(where: { $0.node == node }) else { return .zero }
    return (ByteCount(memory.available, baseShift) + later).saturatingSubtracting(margin(of: memory))
  }
}
