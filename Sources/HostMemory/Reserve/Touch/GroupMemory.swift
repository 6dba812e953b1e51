public import MemoryUnits

/// What the control groups of this process leave it of memory.
public enum GroupMemory {
  /// The least that any group on the way up leaves; nil where none has a limit.
  ///
  /// Linux: `memory.max` and `memory.current`, or `memory.limit_in_bytes` and `memory.usage_in_bytes`.
  public static func left(of root: Sysroot) -> ByteCount? {
    guard let content = try? root.read("proc/self/cgroup", limit: 1 << 20) else { return nil }
    var left: ByteCount?
    for (_, line) in TextLines(content) {
      let parts = line.split(separator: 0x3a, maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3 else { continue }
      let isSecond = parts[1].isEmpty
      guard isSecond || parts[1].split(separator: 0x2c).contains(where: { $0 == "memory" }) else { continue }
      let folders = isSecond ? ["sys/fs/cgroup", "sys/fs/cgroup/unified"] : ["sys/fs/cgroup/memory"]
      let names = isSecond ? ("memory.max", "memory.current") : ("memory.limit_in_bytes", "memory.usage_in_bytes")
      for folder in folders {
        for path in ancestors(of: parts[2].text) {
          guard let limit = try? root.readNumber("\(folder)\(path)/\(names.0)"), limit < 1 << 60 else { continue }
          let used = (try? root.readNumber("\(folder)\(path)/\(names.1)")) ?? 0
          let here = ByteCount(limit).saturatingSubtracting(ByteCount(used))
          left = left.map { min($0, here) } ?? here
        }
      }
    }
    return left
  }

  /// `/a/b`, `/a` and the root as an empty text.
  private static func ancestors(of path: String) -> [String] {
    var paths: [String] = []
    var names = path.split(separator: "/")
    while !names.isEmpty {
      paths.append("/" + names.joined(separator: "/"))
      names.removeLast()
    }
    return paths + [""]
  }
}
