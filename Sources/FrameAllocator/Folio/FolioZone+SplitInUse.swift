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
  ///     caller sees to it that nobody follows them or makes new ones meanwhile. Traps where it tells them for some parts only.
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
    // More than 2^32 counts of 32 bits would be needed to wrap.
    var mappings: UInt64 = 0
    for count in entries { mappings &+= UInt64(count) }
    unsafe lock(head, pause: pause)
    let shape = unsafe head.pointee.shape
    guard heads.contains(folio.head), shape.order == folio.order, shape.kind == .ordinary else {
      unsafe unlock(head)
      throw .wrongOrder(said: folio.order, is: shape.order)
    }
    let counts = unsafe head.pointee.counts
    let said = unsafe head.pointee.mapCount.load(ordering: .acquiring)
    // Pins of its frames cannot change: the lock is held. Others, of what the head was before, will go.
    guard UInt64(said) == mappings, unsafe PinSpread(table: table, folio: folio).total == Int64(counts.pins),
      UInt64(counts.references) == UInt64(own) + mappings + UInt64(counts.pins),
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
    precondition(
      entries.isEmpty || UInt64(entries.count) == folio.order.frames / order.frames, "entries are told for some parts only")
    let spread = unsafe PinSpread(table: table, folio: folio)
    let spreadPins = unsafe spread.isEmpty ? [] : handOver(spread.takeOut(), of: folio, to: order)
    let form = unsafe PartForm(head, order)
    return unsafe entries.withUnsafeBufferPointer { entries in
      // Loops of their own for what nearly all splits are.
      guard spreadPins.isEmpty else {
        return unsafe writeParts(folio, head, form) { number in
          // There are as many as parts, or none.
          (entries.isEmpty ? 0 : unsafe entries[number], UInt32(truncatingIfNeeded: spreadPins[number]))
        }
      }
      guard let first = entries.baseAddress, !entries.isEmpty else {
        return unsafe writeParts(folio, head, form) { _ in (0, 0) }
      }
      return unsafe writeParts(folio, head, form) { number in unsafe (first[number], 0) }
    }
  }

  /// - Parameter uses: the entries and the pins of a part.
  @unsafe @inline(__always) private borrowing func writeParts(
    _ folio: FolioPlace, _ head: DescriptorPointer, _ form: PartForm, _ uses: (Int) -> (mappings: UInt32, pins: UInt32)
  ) -> [FrameNumber] {
    var unused: [FrameNumber] = []
    let size = unsafe form.order.frames
    // The head last: until then it says what it was.
    var number = 1
    table.forEachRun(in: FrameRange(start: folio.head + size, end: folio.frames.end)) { run in
      // Parts are aligned, and so are runs, to more than any part that does not fill them; larger ones begin where runs do.
      var frame = run.frames.start.aligned(to: size, .up)
      guard frame < run.frames.end else { return }
      var part = unsafe run[frame]
      while true {
        let (mappings, pins) = uses(number)
        unsafe form.write(part, number, mappings)
        if mappings | pins != 0 {
          unsafe part.pointee.unfreeze(.references(mappings) + .pins(pins))
        } else {
          unused.append(frame)
        }
        number &+= 1
        guard run.frames.end - frame > size else { return }
        frame += size
        // Inside the run, by the guard above.
        unsafe part += Int(truncatingIfNeeded: size.rawValue)
      }
    }
    precondition(UInt64(number) == folio.order.frames / size, "a folio without descriptors")
    unsafe heads.splitBlock(folio.frames, into: form.order)
    let (mappings, pins) = uses(0)
    unsafe form.write(head, 0, mappings)
    if mappings | pins != 0 {
      unsafe head.pointee.unfreeze(.references(mappings) + .pins(pins))
    } else {
      unused.insert(folio.head, at: 0)
    }
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

/// What the parts of a folio have from it.
@unsafe private struct PartForm {
  let order: Order
  private let shape: UInt32
  private let owner: UInt64
  private let index: UInt32
  private let size: UInt32
  private let flags: FrameFlags

  /// Reads the head of the folio that becomes parts of `order`.
  init(_ head: DescriptorPointer, _ order: Order) {
    let old = unsafe head.pointee.shape
    unsafe self.order = order
    unsafe shape = FrameShape(old.kind, order: order, mobility: old.mobility, zone: old.zone).rawValue
    unsafe owner = head.pointee.privateWord.load(ordering: .relaxed)
    unsafe index = head.pointee.privateIndex.load(ordering: .relaxed)
    unsafe size = UInt32(truncatingIfNeeded: order.frames.rawValue)
    unsafe flags = head.pointee.flags.subtracting(.ofFrame)
  }

  /// Writes all but the counts of the part `number`. Those of a part other than the head mean something to nobody before its bit is set:
  /// who took a reference would find himself at a tail, and give it back.
  @inline(__always) func write(_ part: DescriptorPointer, _ number: Int, _ mappings: UInt32) {
    let place = unsafe index &+ UInt32(truncatingIfNeeded: number) &* size
    unsafe part.pointee.privateWord.store(mappings == 0 ? 0 : owner, ordering: .relaxed)
    unsafe part.pointee.mapCount.store(mappings, ordering: .relaxed)
    unsafe part.pointee.shapeWord.store(shape, ordering: .relaxed)
    unsafe part.pointee.privateIndex.store(mappings == 0 ? 0 : place, ordering: .relaxed)
    if unsafe !flags.isEmpty, number > 0 { unsafe _ = part.pointee.insert(flags) }
  }
}
