import HostMemory
import MemoryUnits

/// The pools as tables.
struct PoolsScreen {
  private let report: PoolReport
  private let selection: PoolSelection
  private let terminal: Terminal

  init(_ report: PoolReport, _ selection: PoolSelection, _ terminal: Terminal) {
    self.report = report
    self.selection = selection
    self.terminal = terminal
  }

  func lines() -> [String] {
    var lines: [String] = []
    for part in [hostTable(), nodeTable(), users(), mounts()] where !part.isEmpty {
      lines += (lines.isEmpty ? [] : [""]) + part
    }
    return lines
  }

  private func number(_ title: String) -> TextTable.Column { .init(title: title, isNumber: true) }
  private func text(_ title: String) -> TextTable.Column { .init(title: title, isNumber: false) }

  private func hostTable() -> [String] {
    var table = TextTable([
      text("pool"), number("min"), number("current"), number("max"), number("free"), number("reserved"), number("surplus"),
      text("default"),
    ])
    for pool in report.pools where pool.node == nil && (selection.size == nil || pool.size == selection.size) {
      table.add([
        "\(pool.size)", "\(pool.persistent)", "\(pool.total)", pool.maximum?.description ?? "-", "\(pool.free)",
        pool.reserved?.description ?? "-", "\(pool.surplus)", pool.size == report.defaultSize ? "*" : "",
      ])
    }
    return table.lines()
  }

  /// What is mapped of a node's pool, where every use tells its node.
  private func mapped(_ pool: HugePool) -> String {
    let uses = report.users.flatMap(\.uses)
    guard uses.allSatisfy({ $0.size != nil && $0.node != nil }) else { return "?" }
    let bytes = uses.reduce(UInt64(0)) { $1.size == pool.size && $1.node == pool.node ? $0 &+ $1.bytes.rawValue : $0 }
    return "\(bytes / pool.size.bytes.rawValue)"
  }

  private func nodeTable() -> [String] {
    var table = TextTable([
      text("pool"), number("node"), number("current"), number("free"), number("surplus"), number("mapped"),
    ])
    for pool in report.pools where pool.node != nil && selection.includes(pool) {
      table.add([
        "\(pool.size)", pool.node?.description ?? "", "\(pool.total)", "\(pool.free)", "\(pool.surplus)", mapped(pool),
      ])
    }
    return table.rows.isEmpty ? [] : table.lines()
  }

  private func users() -> [String] {
    var table = TextTable([number("process"), text("name"), text("pool"), number("node"), number("mapped"), number("pages")])
    for user in report.users {
      for use in user.uses where selection.includes(use) {
        table.add([
          "\(user.id)", user.name, use.size?.description ?? "?", use.node?.description ?? "?", use.bytes.forPeople,
          use.size.map { "\(use.bytes.rawValue / $0.bytes.rawValue)" } ?? "?",
        ])
      }
    }
    return table.rows.isEmpty ? ["No process has pages of pools mapped."] : table.lines()
  }

  private func mounts() -> [String] {
    var table = TextTable([text("mounted at"), text("pool"), number("at least"), number("at most")])
    for mount in report.mounts {
      let size = mount.size ?? report.defaultSize
      guard selection.size == nil || size == selection.size else { continue }
      table.add([
        mount.folder, size?.description ?? "?", mount.minimum?.forPeople ?? "-", mount.limit?.forPeople ?? "-",
      ])
    }
    return table.rows.isEmpty ? [] : table.lines()
  }
}
