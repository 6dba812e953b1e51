import HostMemory
import MemoryUnits

/// `megalith.pools/1`. Pages are numbers; keys are only ever added.
struct PoolsDocument: Encodable {
  let schema = "megalith.pools/1"
  let defaultSize: String?
  let pools: [Pool]
  let users: [User]
  let mounts: [Mount]

  struct Pool: Encodable {
    let size: String
    /// Absent for the whole host.
    let node: UInt32?
    let minimum: UInt64
    let current: UInt64
    let maximum: UInt64?
    let free: UInt64
    let reserved: UInt64?
    let surplus: UInt64
    let isDefault: Bool
  }

  struct User: Encodable {
    let pid: UInt32
    let name: String
    let uses: [Use]
  }

  struct Use: Encodable {
    let size: String?
    let node: UInt32?
    let bytes: UInt64
  }

  struct Mount: Encodable {
    let folder: String
    let size: String?
    let minimumBytes: UInt64?
    let limitBytes: UInt64?
  }

  init(_ report: PoolReport, _ selection: PoolSelection) {
    defaultSize = report.defaultSize?.description
    pools = report.pools.filter { selection.includes($0) }.map {
      Pool(
        size: $0.size.description, node: $0.node?.rawValue, minimum: $0.persistent.rawValue, current: $0.total.rawValue,
        maximum: $0.maximum?.rawValue, free: $0.free.rawValue, reserved: $0.reserved?.rawValue, surplus: $0.surplus.rawValue,
        isDefault: $0.size == report.defaultSize)
    }
    users = report.users.compactMap { user in
      let uses = user.uses.filter { selection.includes($0) }.map {
        Use(size: $0.size?.description, node: $0.node?.rawValue, bytes: $0.bytes.rawValue)
      }
      return uses.isEmpty ? nil : User(pid: user.id, name: user.name, uses: uses)
    }
    mounts = report.mounts.filter { selection.size == nil || ($0.size ?? report.defaultSize) == selection.size }.map {
      Mount(
        folder: $0.folder, size: ($0.size ?? report.defaultSize)?.description, minimumBytes: $0.minimum?.rawValue,
        limitBytes: $0.limit?.rawValue)
    }
  }
}
