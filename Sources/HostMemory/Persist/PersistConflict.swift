public import MemoryUnits
import PhysicalLayout

/// Why pools cannot be kept as asked. Every case is the operator's or the host's doing.
public enum PersistConflict: Error, Sendable, Hashable {
  case nothingWanted
  case unknownSize(PageSize, known: [PageSize], architecture: String?)
  case unknownNode(NodeID, known: [NodeID])
  /// The same pool twice.
  case repeated(PoolWish)
  /// A size with nodes and without.
  case nodesAndTotal(PageSize)
  case nodesAndTotalInArea
  /// An area is for gigantic pages, and none are wanted.
  case nothingForArea
  /// More than the host's memory, or than 64 bits count.
  case tooMuch(ByteCount, memory: ByteCount?)
  /// A contiguous area keeps the kernel from setting gigantic pages aside at boot.
  case areaAndBootPages(PageSize, SettingPlace)
  case areaTwice(SettingPlace)
  /// The kernel has no contiguous areas for huge pages, or none by node.
  case noAreas(KernelRelease)
  case bootCannotNameNodes(PageSize, isPower: Bool)
  /// `hugepages=` before its `hugepagesz=`.
  case amountBeforeSize(SettingPlace)
  /// The kernel takes the first of two requests for a size.
  case namedElsewhere(PageSize, SettingPlace)
  /// The parameters do not read back as they were meant.
  case unreadable(String)

  /// Whether the request is wrong by itself, whatever the host is set up to do.
  public var isUsage: Bool {
    switch self {
    case .nothingWanted, .unknownSize, .unknownNode, .repeated, .nodesAndTotal, .nodesAndTotalInArea, .nothingForArea, .tooMuch:
      true
    case .areaAndBootPages, .areaTwice, .noAreas, .bootCannotNameNodes, .amountBeforeSize, .namedElsewhere, .unreadable: false
    }
  }
}

extension PersistConflict: CustomStringConvertible {
  /// What is wrong and what to do, without a line end.
  public var description: String {
    switch self {
    case .nothingWanted: return "no pages are named. Name them as in 1G:16 or 0:1G:8."
    case .unknownSize(let size, let known, let architecture):
      let sizes = known.map(\.description).joined(separator: ", ")
      return "\(architecture.map { "this host (\($0))" } ?? "this host") has no \(size) pages. Use one of \(sizes)."
    case .unknownNode(let node, let known):
      return "this host has no node \(node). Use one of \(known.map(\.description).joined(separator: ", "))."
    case .repeated(let wish):
      return "\(wish.size) pages\(wish.node.map { " on node \($0)" } ?? "") are named twice. Name each pool once."
    case .nodesAndTotal(let size): return "\(size) pages are named with nodes and without. Do one or the other."
    case .nodesAndTotalInArea: return "an area is by node or for the whole host. Name nodes for all gigantic pages or for none."
    case .nothingForArea: return "an area is for gigantic pages, and none are named. Use --way auto."
    case .tooMuch(let bytes, let memory):
      return "\(bytes) of pages are more than the host's memory\(memory.map { ", \($0)" } ?? ""). Name fewer."
    case .areaAndBootPages(let size, let place):
      return "\(place) has hugetlb_cma=, so that the kernel sets no \(size) pages aside at boot. "
        + "Use --way runtime, which takes them out of the area, or remove it there."
    case .areaTwice(let place): return "\(place) has hugetlb_cma= already. Change it there, and use --way runtime."
    case .noAreas(let release): return "Linux \(release) has no such area for huge pages. Use --way boot."
    case .bootCannotNameNodes(let size, let isPower):
      return (isPower ? "on POWER" : "before Linux 5.16")
        + " the command line cannot say on which node \(size) pages are. Use --way runtime, or leave the nodes out."
    case .amountBeforeSize(let place):
      return "\(place) has hugepages= before its hugepagesz=, so that it counts for the default size. Correct it first."
    case .namedElsewhere(let size, let place):
      return "\(place) asks for \(size) pages already, and the kernel takes the first request of a size. Remove it there."
    case .unreadable(let text): return "'\(text)' does not read back as it was meant. Report this."
    }
  }
}
