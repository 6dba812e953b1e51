import MemoryUnits
import PhysicalLayout

/// A file system of huge pages, and where it is mounted.
///
/// Linux: `hugetlbfs`.
public struct HugePageMount: Sendable, Hashable {
  public let folder: String
  /// Nil for the default size.
  public let size: PageSize?
  /// The most that its files may take; nil for no limit but the pool's.
  public let limit: ByteCount?
  /// What it keeps promised to itself.
  public let minimum: ByteCount?

  /// The mounts that `/proc/mounts` lists; none where it is not there.
  public static func all(of root: Sysroot) throws(HostFileError) -> [HugePageMount] {
    let path = "proc/mounts"
    guard root.exists(path) else { return [] }
    return try parse(try root.read(path), path: path)
  }

  static func parse(_ content: [UInt8], path: String) throws(HostFileError) -> [HugePageMount] {
    var mounts: [HugePageMount] = []
    for (number, line) in TextLines(content) {
      let fields = line.fields
      guard fields.count >= 4 else {
        if fields.isEmpty { continue }
        throw .damaged(path: path, line: number, reason: "not a mount")
      }
      guard fields[2] == "hugetlbfs" else { continue }
      var amounts: [String: ByteCount] = [:]
      for option in fields[3].split(separator: 0x2c) {
        guard let equals = option.firstIndex(of: 0x3d) else { continue }
        let key = option[..<equals].text
        guard ["pagesize", "size", "min_size"].contains(key) else { continue }
        guard let bytes = try? ByteCount(parsing: option[(equals + 1)...]) else {
          throw .damaged(path: path, line: number, reason: "not a size after \(key)=")
        }
        amounts[key] = bytes
      }
      mounts.append(
        HugePageMount(
          folder: fields[1].text, size: amounts["pagesize"].flatMap(PageSize.init(exactly:)), limit: amounts["size"],
          minimum: amounts["min_size"]))
    }
    return mounts
  }
}
