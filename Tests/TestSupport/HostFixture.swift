import Foundation

/// A sysroot written from one text: `== PATH` before each file's content.
public enum HostFixture {
  public static func write(_ text: String) throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    for part in text.split(separator: "== ", omittingEmptySubsequences: true) {
      let lines = part.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)
      try folder.write(String(lines[0]), lines.count > 1 ? String(lines[1]) : "")
    }
    return folder
  }

  /// The pool of one size, and its part on each node.
  public static func pool(
    _ kilobytes: Int, perNode: [Int], free: Int = 0, reserved: Int = 0, surplus: Int = 0, overcommit: Int = 0
  ) -> String {
    let total = perNode.reduce(0, +)
    let host = "sys/kernel/mm/hugepages/hugepages-\(kilobytes)kB"
    var text = "== \(host)/nr_hugepages\n\(total)\n== \(host)/free_hugepages\n\(free)\n== \(host)/resv_hugepages\n\(reserved)\n"
    text += "== \(host)/surplus_hugepages\n\(surplus)\n== \(host)/nr_overcommit_hugepages\n\(overcommit)\n"
    for (node, count) in perNode.enumerated() {
      let path = "sys/devices/system/node/node\(node)/hugepages/hugepages-\(kilobytes)kB"
      text += "== \(path)/nr_hugepages\n\(count)\n== \(path)/free_hugepages\n\(node == 0 ? free : 0)\n"
      text += "== \(path)/surplus_hugepages\n\(node == 0 ? surplus : 0)\n"
    }
    return text
  }
}
