public import FrameAllocator
public import FrameMap
public import MemoryUnits
import Synchronization

/// Why a folio was not taken apart; it is as before.
public enum SplitError: Error, Hashable, Sendable {
  /// There is no such folio any more.
  case gone(FrameNumber)
  /// It is a huge pool's, or something else that no space maps as its own memory.
  case unsuitable(FrameNumber)
  case notSmaller(Order, than: Order)
  /// Others than entries and pins hold it.
  case busy(FrameNumber, FrameCounts, mappings: UInt32)
  /// Spaces that map it are at work, again and again.
  case contended(FrameNumber)
}

extension VirtualMemory {
  /// Takes a folio of anonymous memory apart into folios of `order`, while it is mapped and pinned. Every pin stays on the frame that it was
  /// taken for; what is neither mapped nor pinned is freed.
  ///
  /// - Throws: ``SplitError``.
  /// - Complexity: O(parts + entries). Threads: any; the caller holds no lock of a space. Linux: `split_huge_page`, there not under pins.
  public func split(_ folio: FolioPlace, to order: Order, on cpu: CPUIndex) throws(SplitError) {
    guard order < folio.order else { throw .notSmaller(order, than: folio.order) }
    guard let held = try? zones.tryGet(folio.head, on: cpu) else { throw .gone(folio.head) }
    guard held == folio else {
      put(held.head, on: cpu)
      throw .gone(folio.head)
    }
    guard unsafe descriptor(folio.head).pointee.shape.kind == .ordinary else {
      put(folio.head, on: cpu)
      throw .unsuitable(folio.head)
    }
    // Locks of spaces are only tried for, as entries wait meanwhile; most are free again at once.
    for _ in 0..<64 {
      if let move = detach(folio, to: order) { return try split(folio, to: order, move, on: cpu) }
      pause()
    }
    put(folio.head, on: cpu)
    throw .contended(folio.head)
  }

  private func split(_ folio: FolioPlace, to order: Order, _ move: [(place: EntryPlace, entry: PageEntry)], on cpu: CPUIndex)
    throws(SplitError)
  {
    var entries: [UInt32] = []
    if !move.isEmpty {
      entries = [UInt32](repeating: 0, count: Int(folio.order.frames.rawValue >> UInt64(order.rawValue)))
      for (_, entry) in move { entries[Int((entry.frame - folio.head).rawValue >> UInt64(order.rawValue))] += 1 }
    }
    do throws(FolioError) {
      try zones.split(inUse: folio, to: order, entries: entries, references: 1, on: cpu, pause: pause)
    } catch {
      for (place, entry) in move { walk.replace(place, entry) }
      put(folio.head, on: cpu)
      if case .busy(_, let counts, let mappings) = error {
        throw .busy(folio.head, counts - .references(1), mappings: mappings)
      }
      throw .gone(folio.head)
    }
    for (place, entry) in move { walk.replace(place, entry) }
  }

  /// Finds all entries of a folio, none larger than its parts are to be, and has them wait.
  ///
  /// - Returns: nil where a space is at work; nothing waits then.
  private func detach(_ folio: FolioPlace, to order: Order) -> [(place: EntryPlace, entry: PageEntry)]? {
    let head = unsafe descriptor(folio.head)
    let number = unsafe OwnerNumber(rawValue: head.pointee.privateWord.load(ordering: .acquiring))
    let index = unsafe head.pointee.privateIndex.load(ordering: .relaxed)
    guard case .family(let family)? = books.owner(number) else { return [] }
    var found: [(place: EntryPlace, entry: PageEntry)] = []
    for space in family.members.withLock({ $0.spaces }) {
      let isDone: Void? = space.state.tryWithLock { state in
        for number in state.mappings.all.indices where state.mappings[number].family === family {
          let mapping = state.mappings[number]
          guard mapping.isTransparent, let part = mapping.range(of: index, PageCount(folio.order.frames.rawValue)) else {
            continue
          }
          splitEntries(in: part, of: space, &state) { place in
            let entry = settled(place)
            return entry.isLeaf && shape.order(place.level) > order && folio.frames.contains(entry.frame)
          }
          forEachEntry(of: folio, index, in: mapping, of: space) { place, _ in
            let entry = settled(place)
            // It may have been on its way elsewhere.
            guard entry.isLeaf, folio.frames.contains(entry.frame) else { return }
            walk.replace(place, entry.with(.moving))
            found.append((place, entry))
          }
        }
      }
      guard isDone != nil else {
        for (place, entry) in found { walk.replace(place, entry) }
        return nil
      }
    }
    return found
  }

  /// Takes those folios apart of which a part was unmapped and is not pinned, and frees that part. To be called when memory runs short, or
  /// now and then.
  ///
  /// - Parameter limit: folios at most; nil for all that are waiting.
  /// - Returns: how many folios were taken apart.
  /// - Complexity: O(folios' entries). Threads: any; the caller holds no lock of a space. Linux: `deferred_split_scan`.
  @discardableResult public func splitDeferred(limit: FolioCount? = nil, on cpu: CPUIndex) -> FolioCount {
    var done = FolioCount.zero
    for head in books.takeDeferred(limit.map { Int($0.rawValue) }, in: zones.table) {
      guard let folio = try? zones.folio(containing: head), folio.head == head, folio.order > Order(0),
        let order = orderOfParts(folio)
      else { continue }
      do throws(SplitError) {
        try split(folio, to: order, on: cpu)
        done += FolioCount(1)
      } catch {
        // Who is in the way now will be gone the next time.
        switch error {
        case .contended, .busy: books.deferSplit(of: head, in: zones.table)
        case .gone, .unsuitable, .notSmaller: break
        }
      }
    }
    return done
  }

  /// Folios that wait for ``splitDeferred(limit:on:)``; some may have gone since.
  public var deferredFolios: FolioCount { FolioCount(books.deferred.withLock { UInt64($0.count) }) }

  /// Into what a folio is to be taken apart so that what nobody uses is freed; nil where all of it is mapped, or it is none of this kind.
  private func orderOfParts(_ folio: FolioPlace) -> Order? {
    let head = unsafe descriptor(folio.head)
    guard unsafe head.pointee.shape.kind == .ordinary else { return nil }
    let number = unsafe OwnerNumber(rawValue: head.pointee.privateWord.load(ordering: .acquiring))
    let index = unsafe head.pointee.privateIndex.load(ordering: .relaxed)
    guard case .family(let family)? = books.owner(number) else { return nil }
    var parts: [FrameRange] = []
    for space in family.members.withLock({ $0.spaces }) {
      let isDone: Void? = space.state.tryWithLock { state in
        for mapping in state.mappings.all where mapping.family === family && mapping.isTransparent {
          forEachEntry(of: folio, index, in: mapping, of: space) { place, entry in
            parts.append(FrameRange(start: entry.frame, count: shape.frames(place.level)))
          }
        }
      }
      // Its entries were not seen: as if all of it were mapped.
      guard isDone != nil else { return nil }
    }
    parts.sort { $0.start < $1.start }
    var smallest = Order(UInt8(folio.order.rawValue - 1))
    var end = folio.head
    var isWhole = true
    for part in parts {
      if part.start > end { isWhole = false }
      end = max(end, part.end)
      smallest = min(smallest, Order(UInt8(part.count.rawValue.trailingZeroBitCount)))
    }
    return isWhole && end == folio.frames.end ? nil : smallest
  }
}

/// Folios.
public struct FolioCount: Amount {
  public let rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }
  public var description: String { String(rawValue) }
}
