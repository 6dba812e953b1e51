import FrameAllocator
import MemoryUnits

/// Tables kept aside for entries that map more than a base page, so that such an entry can always be made a table.
///
/// An entry of level 1 has one of level 0; one of level 2 has one of level 1, and one of level 0 for each entry of that.
///
/// Linux: `pgtable_trans_huge_deposit`.
struct TableDeposits: Sendable {
  /// By level; all zero, and led to by nobody.
  private(set) var tables: [[FrameNumber]] = []

  mutating func add(_ table: FrameNumber, _ level: TableLevel) {
    let place = Int(level.rawValue)
    while tables.count <= place { tables.append([]) }
    tables[place].append(table)
  }

  mutating func add(_ others: TableDeposits) {
    for (place, list) in others.tables.enumerated() {
      for table in list { add(table, TableLevel(UInt8(place))) }
    }
  }

  /// A table of the level. There is one for each entry that may need it.
  mutating func take(_ level: TableLevel) -> FrameNumber {
    let place = Int(level.rawValue)
    guard place < tables.count, let table = tables[place].popLast() else {
      preconditionFailure("an entry has no table kept for it")
    }
    return table
  }

  func count(_ level: TableLevel) -> EntryCount {
    let place = Int(level.rawValue)
    return EntryCount(place < tables.count ? UInt64(tables[place].count) : 0)
  }
}

extension VirtualMemory {
  /// Tables of each level that an entry of `level` keeps aside.
  func depositCounts(_ level: TableLevel) -> [(level: TableLevel, tables: EntryCount)] {
    var counts: [(level: TableLevel, tables: EntryCount)] = []
    var tables = EntryCount(1)
    var below = level
    while below > TableLevel(0) {
      below = below.below
      counts.append((below, tables))
      tables = tables * shape.entries(below).rawValue
    }
    return counts
  }

  /// Makes what an entry of `level` keeps aside.
  ///
  /// - Throws: `.outOfMemory`; nothing is kept then.
  func makeDeposits(_ level: TableLevel, node: NodeID, on cpu: CPUIndex) throws(FaultError) -> TableDeposits {
    var deposits = TableDeposits()
    do throws(FaultError) {
      for (below, tables) in depositCounts(level) {
        for _ in 0..<tables.rawValue { deposits.add(try makeTable(below, node: node, on: cpu), below) }
      }
    } catch {
      for list in deposits.tables { for table in list { zones.put(table, on: cpu) } }
      throw error
    }
    return deposits
  }

  /// Frees what an entry of `level` that is gone kept aside. Nobody ever saw these tables.
  func freeDeposits(_ level: TableLevel, _ state: inout AddressSpace.State, on cpu: CPUIndex) {
    for (below, tables) in depositCounts(level) {
      for _ in 0..<tables.rawValue { zones.put(state.deposits.take(below), on: cpu) }
    }
  }
}
