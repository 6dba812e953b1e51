import MemoryUnits
import PhysicalLayout

/// What one process has mapped of one pool.
public struct HugePageUse: Sendable, Hashable {
  /// Nil where only the sum over all sizes could be read.
  public let size: PageSize?
  /// Nil where the kernel does not tell nodes.
  public let node: NodeID?
  /// A page that several processes map counts for each of them.
  public let bytes: ByteCount

  public init(size: PageSize?, node: NodeID?, bytes: ByteCount) {
    self.size = size
    self.node = node
    self.bytes = bytes
  }
}

/// A process that has pages of pools mapped.
public struct HugePageUser: Sendable, Hashable {
  public let id: UInt32
  /// The command's name, at most 15 bytes; never its arguments.
  public let name: String
  /// By size, then node; never empty.
  public let uses: [HugePageUse]

  /// Every process that has pages of pools mapped, in order of its number.
  ///
  /// `status` has the sum, readable by everybody and at no cost. Only where it is not zero the mappings are read:
  /// `numa_maps`, else `smaps`, else the sum alone is told. Processes that end meanwhile are left out.
  ///
  /// - Throws: `.damaged` alone.
  public static func all(of root: Sysroot) throws(HostFileError) -> [HugePageUser] {
    var users: [HugePageUser] = []
    for id in try root.list("proc").compactMap(UInt32.init).sorted() {
      if let user = try HugePageUser(id, of: root) { users.append(user) }
    }
    return users
  }

  private init?(_ id: UInt32, of root: Sysroot) throws(HostFileError) {
    let path = "proc/\(id)/status"
    guard let content = try HugePageUser.present({ () throws(HostFileError) in try root.read(path, limit: 1 << 20) }),
      let (name, sum) = try HugePageUser.status(content, path: path), sum > .zero
    else { return nil }
    let byNode = try HugePageUser.present { () throws(HostFileError) in
      try HugePageUser.numaMaps(try root.read("proc/\(id)/numa_maps"), path: "proc/\(id)/numa_maps")
    }
    var uses = byNode ?? []
    if uses.isEmpty {
      let bySize = try HugePageUser.present { () throws(HostFileError) in
        try HugePageUser.mappings(try root.read("proc/\(id)/smaps"), path: "proc/\(id)/smaps")
      }
      uses = bySize ?? []
    }
    self.id = id
    self.name = name
    self.uses = uses.isEmpty ? [HugePageUse(size: nil, node: nil, bytes: sum)] : uses
  }

  private static func present<Value>(_ body: () throws(HostFileError) -> Value) throws(HostFileError) -> Value? {
    do {
      return try body()
    } catch .damaged(let path, let line, let reason) {
      throw .damaged(path: path, line: line, reason: reason)
    } catch {
      return nil
    }
  }

  /// The name and `HugetlbPages` of `/proc/PID/status`; nil where there is no such line (kernel threads, before Linux 4.4).
  static func status(_ content: [UInt8], path: String) throws(HostFileError) -> (name: String, sum: ByteCount)? {
    var name = ""
    for (number, line) in TextLines(content) {
      guard let colon = line.firstIndex(of: 0x3a) else { continue }
      if line[..<colon] == "Name" { name = line[(colon + 1)...].trimmed.text }
      guard line[..<colon] == "HugetlbPages" else { continue }
      return (name, try kilobytes(line[(colon + 1)...].fields.first, path, number))
    }
    return nil
  }

  /// The lines of `/proc/PID/numa_maps` that are of pools: `huge`, `N0=PAGES`, `kernelpagesize_kB=SIZE`.
  static func numaMaps(_ content: [UInt8], path: String) throws(HostFileError) -> [HugePageUse] {
    var sums = UseSums()
    for (number, line) in TextLines(content) {
      let fields = line.fields
      guard fields.contains(where: { $0 == "huge" }) else { continue }
      var size: PageSize?
      var nodes: [(NodeID, UInt64)] = []
      for field in fields {
        guard let equals = field.firstIndex(of: 0x3d) else { continue }
        let key = field[..<equals]
        if key == "kernelpagesize_kB" {
          size = PageSize(exactly: try kilobytes(field[(equals + 1)...], path, number))
        } else if key.first == 0x4e, let node = key.dropFirst().decimal.flatMap(UInt32.init(exactly:)) {
          guard let pages = field[(equals + 1)...].decimal, pages < 1 << 40 else {
            throw .damaged(path: path, line: number, reason: "no number of pages after \(key.text)")
          }
          nodes.append((NodeID(node), pages))
        }
      }
      guard !nodes.isEmpty else { continue }
      guard let size, size.shift.rawValue <= 40 else {
        throw .damaged(path: path, line: number, reason: "names no page size")
      }
      for (node, pages) in nodes { try sums.add(size, node, pages, size.bytes, path, number) }
    }
    return sums.uses
  }

  /// `/proc/PID/smaps`: of each mapping `KernelPageSize`, then `Shared_Hugetlb` and `Private_Hugetlb`.
  static func mappings(_ content: [UInt8], path: String) throws(HostFileError) -> [HugePageUse] {
    var sums = UseSums()
    var size: PageSize?
    for (number, line) in TextLines(content) {
      if line.starts(with: "KernelPageSize:") {
        size = PageSize(exactly: try kilobytes(line.fields.dropFirst().first, path, number))
      } else if line.starts(with: "Shared_Hugetlb:") || line.starts(with: "Private_Hugetlb:") {
        let bytes = try kilobytes(line.fields.dropFirst().first, path, number)
        guard bytes > .zero else { continue }
        guard let size else { throw .damaged(path: path, line: number, reason: "names no page size") }
        try sums.add(size, nil, bytes.rawValue, ByteCount(1), path, number)
      }
    }
    return sums.uses
  }

  private static func kilobytes(
    _ field: ArraySlice<UInt8>?, _ path: String, _ line: LineNumber
  ) throws(HostFileError) -> ByteCount {
    guard let kilobytes = field?.decimal, kilobytes < 1 << 50 else {
      throw .damaged(path: path, line: line, reason: "not an amount in kB")
    }
    return .kibibytes(kilobytes)
  }
}

/// Adds up what a process maps.
private struct UseSums {
  private struct Key: Hashable {
    let size: PageSize
    let node: NodeID?
  }

  private var sums: [Key: ByteCount] = [:]

  mutating func add(
    _ size: PageSize, _ node: NodeID?, _ count: UInt64, _ unit: ByteCount, _ path: String, _ line: LineNumber
  ) throws(HostFileError) {
    let key = Key(size: size, node: node)
    let (bytes, overflowed) = count.multipliedReportingOverflow(by: unit.rawValue)
    let (sum, carried) = (sums[key] ?? .zero).rawValue.addingReportingOverflow(bytes)
    guard !overflowed, !carried else { throw .damaged(path: path, line: line, reason: "the sum is out of range") }
    sums[key] = ByteCount(sum)
  }

  var uses: [HugePageUse] {
    sums.map { HugePageUse(size: $0.key.size, node: $0.key.node, bytes: $0.value) }
      .sorted {
        ($0.size?.shift.rawValue ?? 0, $0.node?.rawValue ?? 0) < ($1.size?.shift.rawValue ?? 0, $1.node?.rawValue ?? 0)
      }
  }
}
