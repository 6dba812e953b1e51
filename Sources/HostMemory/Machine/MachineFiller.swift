import FrameAllocator
import FrameMap
import MemoryUnits
import PhysicalLayout

/// Keeps what a scan tells until the pageblock is complete: how its undecided frames are read hangs on all of it.
final class PieceBuffer: FramePieces {
  struct Piece {
    let range: FrameRange
    let kind: FrameClass
    let zone: Int
    let hugePage: FrameCount
  }

  private(set) var pieces: [Piece] = []

  func add(_ range: FrameRange, _ kind: FrameClass, _ state: HostLayout.State, hugePage: FrameCount) {
    guard case .zone(let zone) = state else { return }
    pieces.append(Piece(range: range, kind: kind, zone: zone, hugePage: hugePage))
  }

  func removeAll() { pieces.removeAll(keepingCapacity: true) }
}

/// Gives the zones of a machine their memory in the states that a host's frames stand for, run by run.
struct MachineFiller {
  /// What becomes of frames. Neighbours of equal states make one run.
  private enum State: Equatable {
    case free
    case movable, droppable, unsettled
    case held(FrameKind, FrameMobility)
    /// A page of a huge pool that begins there.
    case hugePage(at: FrameNumber)
    /// Nobody's to have: poisoned, given to a hypervisor, gone.
    case claimed
    /// Not handed over yet.
    case deferred
  }

  private struct Run {
    var range: FrameRange
    let zone: Int
    let state: State
  }

  private let captured: CapturedLayout
  private let judgements: [ZoneJudgement]
  private let counts: MappedCounts
  private let pageblock: Order
  private let owner: CapturedFolios
  private let cpu: CPUIndex
  private var pending: Run?
  private(set) var error: CapturedMachineError?

  init(
    _ captured: CapturedLayout, _ judgements: [ZoneJudgement], _ counts: MappedCounts, pageblock: Order,
    _ owner: CapturedFolios, on cpu: CPUIndex
  ) {
    self.captured = captured
    self.judgements = judgements
    self.counts = counts
    self.pageblock = pageblock
    self.owner = owner
    self.cpu = cpu
  }

  /// Takes a pageblock in.
  ///
  /// - Parameter tally: of the pageblock, complete.
  mutating func add(_ pieces: [PieceBuffer.Piece], _ tally: RangeTally, to zones: borrowing ZoneSet) {
    let isNearUnmovable = tally.nearUnmovable.presence != 0
    for piece in pieces where error == nil && captured.zones[piece.zone] != nil {
      let state = state(of: piece, isNearUnmovable)
      if let run = pending, run.zone == piece.zone, run.range.end == piece.range.start, isSame(run.state, state, piece) {
        pending?.range = FrameRange(start: run.range.start, end: piece.range.end)
      } else {
        flush(to: zones)
        pending = Run(range: piece.range, zone: piece.zone, state: state)
      }
    }
  }

  private func isSame(_ old: State, _ new: State, _ piece: PieceBuffer.Piece) -> Bool {
    // A pool page goes on until another one begins.
    if case .hugePage = old, case .hugePage = new { return piece.hugePage == .zero }
    return old == new
  }

  private mutating func state(of piece: PieceBuffer.Piece, _ isNearUnmovable: Bool) -> State {
    let judgement = judgements[piece.zone]
    switch piece.kind {
    case .free: return .free
    case .freeTail where judgement.hidesFreeTails: return .free
    case .emptySection where judgement.isDeferred: return .deferred
    case .undecided, .emptySection, .freeTail:
      let isLikelyFree =
        switch judgement.undecided {
        case .free: true
        case .freeElsewhere: !isNearUnmovable
        case .unknown: false
        }
      return isLikelyFree && !isMapped(piece.range) ? .free : .held(.ordinary, .unmovable)
    case .migratable: return .movable
    case .droppable: return .droppable
    case .unsettled: return .unsettled
    case .slab: return .held(.ordinary, .reclaimable)
    case .pageTable: return .held(.pageTable, .unmovable)
    case .reserved: return .held(.reserved, .unmovable)
    case .kernel: return .held(.ordinary, .unmovable)
    case .huge: return .hugePage(at: piece.range.start)
    case .offline, .poisoned, .absent: return .claimed
    }
  }

  private mutating func isMapped(_ range: FrameRange) -> Bool {
    var finding = MappedCounts.Finding()
    do throws(HostFileError) {
      try counts.look(in: range, &finding)
    } catch {
      self.error = .file(error)
    }
    return finding.first != nil
  }

  /// Hands the last run out.
  mutating func flush(to zones: borrowing ZoneSet) {
    guard let run = pending else { return }
    pending = nil
    guard let index = captured.zones[run.zone] else { return }
    // Of a live host, memory may have gone or come since it was looked at first.
    let memory = captured.memory[run.zone]
    var position = memory.firstIndex(endingAbove: run.range.start)
    while position < memory.count, memory[position].start < run.range.end {
      let part = run.range.intersection(memory[position])
      do throws(FolioError) {
        try place(part, run.state, index, in: zones)
      } catch {
        self.error = self.error ?? .frames(part, error)
      }
      position += 1
    }
  }

  private func place(
    _ range: FrameRange, _ state: State, _ index: ZoneIndex, in zones: borrowing ZoneSet
  ) throws(FolioError) {
    switch state {
    case .free:
      do throws(FreeTreeError) { try zones[index].manage(range) } catch { throw .notFree(range.start) }
    case .movable: try zones[index].manage(range, as: .ordinary, .movable, upTo: pageblock)
    case .droppable:
      try zones[index].manage(range, as: .ordinary, .movable, upTo: pageblock)
      zones[index].forEachFolio(in: range) { place, _ in owner.markDroppable(place.head) }
    case .unsettled:
      try zones[index].manage(range, as: .ordinary, .movable, upTo: Order(0))
      var frame = range.start
      while frame < range.end {
        owner.noteUnsettled(try zones[index].tryGet(frame, on: cpu).head)
        frame += FrameCount(1)
      }
    case .held(let kind, let mobility):
      try zones[index].manage(range, as: kind, mobility, upTo: pageblock)
      if kind == .ordinary, range.count >= FrameCount(pageblock.frames.rawValue / 2) {
        zones[index].setPageblocks(of: range, to: mobility)
      }
    case .hugePage(let start):
      // One whose length or place makes no page was cut off by the data; its frames still belong to a pool.
      let isPage = Order(exactly: range.count).map { start == range.start && start.isAligned(to: $0.frames) } ?? false
      let order = isPage ? Order(exactly: range.count) : nil
      try zones[index].manage(range, as: .hugePool, .unmovable, upTo: order ?? pageblock)
    case .claimed: try zones[index].manageClaimed(range)
    case .deferred:
      try zones[index].manageClaimed(range)
      owner.noteDeferred(range, index)
    }
  }
}
