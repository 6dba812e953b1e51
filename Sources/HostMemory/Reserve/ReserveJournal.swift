import MemoryUnits
public import PhysicalLayout

/// What a reservation writes down before it does it, so that a later process can put things right after a kill.
///
/// One reservation at a time holds a journal.
public protocol ReserveJournal: AnyObject {
  /// Starts a journal of its own; refuses while there is one.
  func begin() throws(ReserveJournalError)
  /// Adds a line; it is kept when this returns.
  func append(_ line: String) throws(ReserveJournalError)
  /// The lines of a journal that was left behind, and the right to it. A last line that was cut off is not among them: what it
  /// announces was not done.
  func takeOver() throws(ReserveJournalError) -> [String]
  /// Ends the journal: nothing is left to put right.
  func finish() throws(ReserveJournalError)
}

public enum ReserveJournalError: Error, Hashable, Sendable {
  /// A reservation left its journal behind.
  case unfinished(path: String)
  /// Another process reserves at this moment.
  case running(path: String)
  /// There is nothing to undo.
  case none(path: String)
  case denied(path: String)
  case failed(path: String, code: Int32)
  case damaged(path: String, line: LineNumber)
}

extension ReserveJournalError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .unfinished(let path): "\(path): an earlier reservation was not finished"
    case .running(let path): "\(path): another reservation is running"
    case .none(let path): "\(path): there is nothing to undo"
    case .denied(let path): "\(path): permission denied"
    case .failed(let path, let code): "\(path): the journal could not be written, error \(code)"
    case .damaged(let path, let line): "\(path):\(line): not a line of a journal"
    }
  }
}

/// A line of the journal.
enum JournalEntry: Hashable {
  /// The boot in which the journal was begun: what it says holds in no other.
  case boot(String)
  /// A pool is about to be set.
  case pool(HugePoolFiles, from: HugePageCount, to: HugePageCount)
  /// A block is about to go offline, and belongs online in a zone.
  case block(MemoryBlockNumber, zone: String)

  var line: String {
    switch self {
    case .boot(let id): "boot \(id)"
    case .pool(let files, let from, let to): "pool \(files.node?.description ?? "-") \(files.size) \(from) \(to)"
    case .block(let block, let zone): "block \(block.rawValue) \(zone)"
    }
  }

  init?(_ line: String) {
    let fields = line.split(separator: " ").map(String.init)
    switch (fields.first, fields.count) {
    case ("boot", 2): self = .boot(fields[1])
    case ("block", 3):
      guard let number = UInt64(fields[1]) else { return nil }
      self = .block(MemoryBlockNumber(number), zone: fields[2])
    case ("pool", 5):
      let node = UInt32(fields[1]).map(NodeID.init(_:))
      guard node != nil || fields[1] == "-", let bytes = try? ByteCount(parsing: fields[2]),
        let size = PageSize(exactly: bytes), let from = UInt64(fields[3]), let to = UInt64(fields[4])
      else { return nil }
      self = .pool(HugePoolFiles(size: size, node: node), from: HugePageCount(from), to: HugePageCount(to))
    default: return nil
    }
  }

  static func parse(_ lines: [String], path: String) throws(ReserveJournalError) -> [JournalEntry] {
    var entries: [JournalEntry] = []
    for (index, line) in lines.enumerated() {
      guard let entry = JournalEntry(line) else { throw .damaged(path: path, line: LineNumber(UInt64(index) + 1)) }
      entries.append(entry)
    }
    return entries
  }

  /// The boot that runs now; empty where the host does not tell.
  static func currentBoot(of root: Sysroot) -> String {
    (try? root.readLine("proc/sys/kernel/random/boot_id")) ?? "-"
  }
}
