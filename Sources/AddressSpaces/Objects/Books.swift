import FrameAllocator
import FrameMap
import MemoryUnits
import Synchronization

/// What a page's descriptor says of whose page it is; zero is nobody's.
struct OwnerNumber: Hashable, Sendable {
  let rawValue: UInt64
}

/// Whose pages there are.
enum PageOwner: Sendable {
  case family(AnonymousFamily)
  case object(SharedObject)
}

/// A folio on its way to other frames: the entries that wait for it.
struct Move: Sendable {
  let head: FrameNumber
  let owner: PageOwner
  /// All entries, with what they were; of a page that takes several one after the other.
  var entries: [(place: EntryPlace, entry: PageEntry)]
  /// How often they are counted in the folio's map count.
  var mappings: UInt32 = 0
}

/// All spaces, owners of pages and moves of a memory.
///
/// Descriptors name owners by number, and numbers are looked up here, so that who looks at a page of which he holds nothing finds its
/// owner or none, never one that has gone.
final class Books: Sendable {
  struct State: Sendable {
    var spaces: [AddressSpace] = []
    /// By number less one.
    var owners: [PageOwner?] = []
    var free: [Int] = []
    var moves: [Move] = []
  }

  let state: Guarded<State>
  /// What decides about larger pages.
  let policy: Guarded<TransparentPolicy>
  /// Who gets pages of any size, a bit for each use. Written under the lock of `policy`, its partner, and read without.
  private let uses = Atomic<UInt8>(0)
  /// Heads of folios of which a part may not be mapped any more, oldest first. Each is looked at again before anything is done to it.
  let deferred: Guarded<[FrameNumber]>
  /// Its lock is taken before those of swap areas.
  let swap: Guarded<SwapBooks>

  init(pause: @escaping @Sendable () -> Void) {
    state = Guarded(State(), pause: pause)
    policy = Guarded(TransparentPolicy(), pause: pause)
    deferred = Guarded([], pause: pause)
    swap = Guarded(SwapBooks(), pause: pause)
  }

  /// Remembers that a part of a folio was unmapped.
  func deferSplit(of head: FrameNumber, in frames: FrameTable) {
    // A range that is unmapped entry by entry tells of the same folio again and again.
    guard let descriptor = unsafe frames.descriptor(head), unsafe !descriptor.pointee.insert(.deferred).contains(.deferred) else {
      return
    }
    deferred.withLock { $0.append(head) }
  }

  /// Takes the longest waiting heads out.
  func takeDeferred(_ limit: Int?, in frames: FrameTable) -> [FrameNumber] {
    let heads = deferred.withLock { list -> [FrameNumber] in
      let count = min(list.count, limit ?? list.count)
      let first = Array(list[..<count])
      list.removeFirst(count)
      return first
    }
    for head in heads {
      if let descriptor = unsafe frames.descriptor(head) { unsafe _ = descriptor.pointee.remove(.deferred) }
    }
    return heads
  }

  /// Sets what decides about larger pages.
  func setPolicy(_ new: TransparentPolicy) {
    policy.withLock { policy in
      policy = new
      uses.store(new.rules.reduce(0) { $0 | $1.use.bit }, ordering: .releasing)
    }
  }

  /// Whether the policy may have something for a mapping: a look without the lock, as every fault asks.
  func mayAllow(_ mapping: Mapping) -> Bool {
    let uses = uses.load(ordering: .acquiring)
    let isAdvised = mapping.marks.contains(.hugeAdvised)
    return uses & TransparentPolicy.Use.always.bit != 0 || isAdvised && uses & TransparentPolicy.Use.advised.bit != 0
  }

  /// Makes an owner and gives it a number.
  func add<Owner>(_ make: (OwnerNumber) -> (Owner, PageOwner)) -> Owner {
    state.withLock { state in
      let place = state.free.popLast() ?? state.owners.count
      if place == state.owners.count { state.owners.append(nil) }
      let (owner, entry) = make(OwnerNumber(rawValue: UInt64(place) + 1))
      state.owners[place] = entry
      return owner
    }
  }

  /// Ends the move of a folio, for who deals with its entries.
  func takeMove(of head: FrameNumber) -> Move {
    state.withLock { state -> Move in
      guard let place = state.moves.firstIndex(where: { $0.head == head }) else {
        preconditionFailure("a folio came back that was never on its way")
      }
      return state.moves.remove(at: place)
    }
  }

  func remove(_ number: OwnerNumber) {
    state.withLock { state in
      let place = Int(number.rawValue) - 1
      state.owners[place] = nil
      state.free.append(place)
    }
  }

  func owner(_ number: OwnerNumber) -> PageOwner? {
    guard number.rawValue > 0 else { return nil }
    return state.withLock { state in
      let place = Int(number.rawValue) - 1
      return place < state.owners.count ? state.owners[place] : nil
    }
  }
}
