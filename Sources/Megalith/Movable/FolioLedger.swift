public import FrameAllocator
public import FrameMap
public import MemoryUnits
public import Mobility
import Synchronization

/// Movable folios that somebody keeps by ticket and not by frame, so that they can move.
///
/// The simplest owner there is: one reference a folio, one way to it. Address spaces, with mappings, are others.
///
/// **Threads.** Any.
public final class FolioLedger: FolioOwner, Sendable {
  /// Stands for a folio, wherever it is.
  public struct Ticket: Hashable, Sendable {
    let number: UInt64
  }

  private struct Entry {
    var place: FolioPlace
    let zone: ZoneIndex
    var isMoving = false
  }

  private struct State {
    var entries: [UInt64: Entry] = [:]
    /// The ticket of each folio, by its head.
    var numbers: [FrameNumber: UInt64] = [:]
    var next: UInt64 = 0
  }

  private let state = Mutex(State())

  public init() {}

  /// Takes a folio over from its owner.
  ///
  /// - Complexity: O(1).
  public func keep(_ folio: consuming Folio) -> Ticket {
    let place = FolioPlace(head: folio.head, order: folio.order)
    let zone = folio.zone
    return state.withLock { state in
      let number = state.next
      state.next += 1
      state.entries[number] = Entry(place: place, zone: zone)
      state.numbers[place.head] = number
      return Ticket(number: number)
    }
  }

  /// Where the folio is now; it may move at once. Nil for a ticket that was taken.
  public func place(of ticket: Ticket) -> FolioPlace? { state.withLock { $0.entries[ticket.number]?.place } }

  /// Every ticket that is kept, oldest first.
  public var tickets: [Ticket] { state.withLock { $0.entries.keys.sorted().map { Ticket(number: $0) } } }

  /// Frees the folio of a ticket. Nil tickets, of folios that were freed, trap.
  public func free(_ ticket: Ticket, to zones: borrowing ZoneSet, on cpu: CPUIndex) {
    while true {
      let place: FolioPlace? = state.withLock { state in
        guard let entry = state.entries[ticket.number] else { preconditionFailure("a ticket was used twice") }
        // Whoever moves it is done in a moment.
        guard !entry.isMoving else { return nil }
        state.entries[ticket.number] = nil
        state.numbers[entry.place.head] = nil
        return entry.place
      }
      // Put and not freed: a stranger may look at it, and frees it then.
      if let place { return zones.put(place.head, on: cpu) }
    }
  }

  public func detach(_ folio: FolioPlace) -> FrameCounts? {
    state.withLock { state in
      guard let number = state.numbers[folio.head], var entry = state.entries[number], entry.place == folio, !entry.isMoving
      else { return nil }
      entry.isMoving = true
      state.entries[number] = entry
      return .references(1)
    }
  }

  public func attach(_ folio: FolioPlace, to head: FrameNumber) {
    state.withLock { state in
      guard let number = state.numbers.removeValue(forKey: folio.head), var entry = state.entries[number] else {
        preconditionFailure("a folio came back that was never on its way")
      }
      entry.isMoving = false
      entry.place = FolioPlace(head: head, order: folio.order)
      state.entries[number] = entry
      state.numbers[head] = number
    }
  }
}
