import FrameMap
public import MemoryUnits
import Synchronization

extension FolioZone {
  /// Takes a folio apart that is mapped and pinned: each part has the entries that lead to it and the pins of its frames, and is the owner's
  /// whose the folio was. Parts that have neither are freed.
  ///
  /// Pins do not keep a folio whole, other references do: who holds one relies on what it is a reference to.
  ///
  /// - Parameters:
  ///   - entries: for each part how many page-table entries lead to it, each with its reference; none for a folio that is not mapped. The
  ///     caller sees to it that nobody follows them or makes new ones meanwhile.
  ///   - references: the caller's own; they are gone afterwards.
  ///   - pause: lets others run, while somebody else takes or gives back pins.
  /// - Throws: `.notSmaller`, `.wrongOrder`, `.busy` with the counts where others have references, or other entries lead there; nothing has
  ///   changed then, and the caller's references are still his.
  /// - Complexity: O(parts), a descriptor each, and a bit. Threads: any. Linux: `split_huge_page_to_list_to_order`, there only of folios that
  ///   nobody has pinned.
  public borrowing func split(
    inUse folio: FolioPlace, to order: Order, entries: [UInt32], references own: UInt32, on cpu: CPUIndex, pause: () -> Void
  ) throws(FolioError) {
    guard order < folio.order else { throw .notSmaller(order, than: folio.order) }
    guard let head = unsafe table.descriptor(folio.head) else { throw .noSuchFrame(folio.head) }
    var mappings: UInt32 = 0
    for count in entries { mappings += count }
    unsafe lock(head, pause: pause)
    let shape = unsafe head.pointee.shape
    guard heads.contains(folio.head), shape.order == folio.order, shape.kind == .ordinary else {
      unsafe unlock(head)
      throw .wrongOrder(said: folio.order, is: shape.order)
    }
    let counts = unsafe head.pointee.counts
    let said = unsafe head.pointee.mapCount.load(ordering: .acquiring)
    // Pins of its frames cannot change: the lock is held. Others, of what the head was before, will go.
    guard said == mappings, unsafe PinSpread(table: table, folio: folio).total == Int64(counts.pins),
      UInt64(counts.references) == UInt64(own) + UInt64(mappings) + UInt64(counts.pins),
      unsafe head.pointee.freeze(expecting: counts)
    else {
      unsafe unlock(head)
      throw .busy(folio.head, counts, mappings: said)
    }
    let unused = unsafe writeParts(folio, head, to: order, entries)
    unsafe unlock(head)
    for part in unused {
      guard let descriptor = unsafe table.descriptor(part) else { continue }
      unsafe give(back: part, descriptor, on: cpu)
    }
  }

  /// - Returns: the heads of parts that nobody uses.
  @unsafe private borrowing func writeParts(
    _ folio: FolioPlace, _ head: DescriptorPointer, to order: Order, _ entries: [UInt32]
  ) -> [FrameNumber] {
    let spread = unsafe PinSpread(table: table, folio: folio)
    let pins = unsafe spread.isEmpty ? [] : handOver(spread.takeOut(), of: folio, to: order)
    let old = unsafe head.pointee.shape
    let shape = FrameShape(old.kind, order: order, mobility: old.mobility, zone: old.zone)
    let owner = unsafe head.pointee.privateWord.load(ordering: .relaxed)
    let index = unsafe head.pointee.privateIndex.load(ordering: .relaxed)
    let flags = unsafe head.pointee.flags.subtracting([.locked, .poisoned]).rawValue
    let size = order.frames.rawValue
    var unused: [FrameNumber] = []
    var number = 0
    // The counts of a part other than the head mean something to nobody before its bit is set: who took a reference would find himself at
    // a tail, and give it back.
    func write(_ part: DescriptorPointer, _ frame: FrameNumber) {
      let mappings = number < entries.count ? entries[number] : 0
      let pins = number < pins.count ? UInt32(truncatingIfNeeded: pins[number]) : 0
      let isUsed = mappings | pins != 0
      unsafe part.pointee.privateWord.store(mappings == 0 ? 0 : owner, ordering: .relaxed)
      unsafe part.pointee.privateIndex.store(
        mappings == 0 ? 0 : index &+ UInt32(truncatingIfNeeded: UInt64(number) &* size), ordering: .relaxed)
      unsafe part.pointee.mapCount.store(mappings, ordering: .relaxed)
      unsafe part.pointee.shapeWord.store(shape.rawValue, ordering: .relaxed)
      if flags != 0, number > 0 { unsafe _ = part.pointee.insert(FrameFlags(rawValue: flags)) }
      if isUsed, number > 0 {
        unsafe part.pointee.unfreeze(.references(mappings) + .pins(pins))
      } else if !isUsed {
        unused.append(frame)
      }
      number &+= 1
    }
    // The head last: until then it says what it was.
    number = 1
    table.forEachRun(in: FrameRange(start: folio.head + order.frames, end: folio.frames.end)) { run in
      var frame = run.frames.start
      // Parts are aligned, and so are runs, to more than any part that does not fill them; larger ones begin where runs do.
      while frame < run.frames.end {
        if (frame - folio.head).rawValue & (size &- 1) == 0 { unsafe write(run[frame], frame) }
        frame += min(order.frames, run.frames.end - frame)
      }
    }
    heads.splitBlock(folio.frames, into: order)
    let last = number
    number = 0
    unsafe write(head, folio.head)
    precondition(UInt64(last) == folio.order.frames.rawValue / size, "a folio without descriptors")
    let mappings = entries.first ?? 0
    let headPins = UInt32(truncatingIfNeeded: pins.first ?? 0)
    if mappings | headPins != 0 { unsafe head.pointee.unfreeze(.references(mappings) + .pins(headPins)) }
    return unused
  }

  /// Writes numbers down again for the parts that have pins left, and adds them up for each.
  @unsafe private borrowing func handOver(
    _ numbers: [(range: FrameRange, pins: Int64)], of folio: FolioPlace, to order: Order
  ) -> [Int64] {
    var sums = [Int64](repeating: 0, count: Int((folio.order.frames.rawValue / order.frames.rawValue)))
    func forEachShare(_ body: (Int, FolioPlace, FrameRange, Int64) -> Void) {
      for (range, pins) in numbers {
        var start = range.start
        while start < range.end {
          let part = FolioPlace(head: start.aligned(to: order.frames, .down), order: order)
          let shared = range.intersection(part.frames)
          body(Int((part.head - folio.head).rawValue / order.frames.rawValue), part, shared, pins)
          start = shared.end
        }
      }
    }
    forEachShare { number, _, shared, pins in sums[number] += pins * Int64(shared.count.rawValue) }
    forEachShare { number, part, shared, pins in
      guard order > Order(0), sums[number] != 0 else { return }
      unsafe PinSpread(table: table, folio: part).add(pins, to: shared)
    }
    return sums
  }
}
