import MemoryUnits
public import PhysicalLayout

/// Puts right what a reservation that was ended left behind: blocks of memory come back online, pools go back to what they had.
public struct ReserveUndo {
  /// What was done.
  public struct Report: Sendable {
    public internal(set) var blocks: [MemoryBlockNumber] = []
    public internal(set) var pools: [PoolChange] = []
    /// What stays as it is, and why, a sentence each. None of it keeps the journal.
    public internal(set) var notes: [String] = []
    /// What could not be put right; the journal stays.
    public internal(set) var troubles: [String] = []
  }

  private let host: any HostControl
  private var report = Report()

  private init(_ host: any HostControl) { self.host = host }

  /// Takes over the journal and goes through it. May be repeated until no trouble is left.
  ///
  /// - Throws: before the first write only.
  public static func run(
    through host: any HostControl, journal: any ReserveJournal, path: String
  ) throws(ReserveError) -> Report {
    let entries: [JournalEntry]
    do throws(ReserveJournalError) {
      entries = try JournalEntry.parse(try journal.takeOver(), path: path)
    } catch {
      throw .stop(.journal(error))
    }
    var undo = ReserveUndo(host)
    if entries.isEmpty || entries.first == .boot(JournalEntry.currentBoot(of: host.root)) {
      undo.bringBackBlocks(entries)
      undo.restorePools(entries)
    } else {
      undo.report.notes.append("the journal is of an earlier boot, and nothing of it is left")
    }
    if undo.report.troubles.isEmpty {
      do throws(ReserveJournalError) { try journal.finish() } catch { undo.report.troubles.append("\(error)") }
    }
    return undo.report
  }

  private mutating func bringBackBlocks(_ entries: [JournalEntry]) {
    var seen: Set<MemoryBlockNumber> = []
    for case .block(let number, let zone) in entries where seen.insert(number).inserted {
      let block = RecordedBlock(number: number, zone: zone)
      guard block.isOffline(of: host.root) else { continue }
      if let trouble = block.bringBack(through: host) { report.troubles.append(trouble) } else { report.blocks.append(number) }
    }
  }

  private mutating func restorePools(_ entries: [JournalEntry]) {
    struct Span {
      let first: HugePageCount
      var low: HugePageCount
      var high: HugePageCount
    }
    var spans: [HugePoolFiles: Span] = [:]
    for case .pool(let files, let from, let to) in entries {
      var span = spans[files] ?? Span(first: from, low: from, high: from)
      span.low = min(span.low, from, to)
      span.high = max(span.high, from, to)
      spans[files] = span
    }
    let order = spans.sorted { ($1.key.size, $0.key.node?.rawValue ?? 0) < ($0.key.size, $1.key.node?.rawValue ?? 0) }
    for (files, span) in order {
      do throws(ReserveStop) {
        let back = try PoolReturn(files, to: span.first, of: host.root)
        guard back.now >= span.low, back.now <= span.high else {
          report.notes.append("\(files.totalPath) has \(back.now) pages, which somebody else set; it stays so")
          continue
        }
        if back.target != span.first {
          report.notes.append("\(files.totalPath) keeps \(back.target) pages, since they are in use")
        }
        guard back.target != back.now else { continue }
        try set(files, from: back.now, to: back.target)
      } catch {
        report.troubles.append("\(error)")
      }
    }
  }

  private mutating func set(
    _ files: HugePoolFiles, from: HugePageCount, to target: HugePageCount
  ) throws(ReserveStop) {
    do throws(HostWriteError) {
      try host.set(files.totalPath, to: "\(target)", insists: true)
    } catch {
      throw .write(error)
    }
    let after: HugePageCount
    do throws(HostFileError) { after = try files.read(of: host.root).persistent } catch { throw .host(error) }
    report.pools.append(PoolChange(files: files, before: from, after: after))
    if after != target { report.notes.append("\(files.totalPath) came to \(after) pages of \(target)") }
  }
}
