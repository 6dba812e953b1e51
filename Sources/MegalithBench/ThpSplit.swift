import CBaselines
import FrameAllocator
import FrameMap
import HostArena
import MemoryUnits
import Synchronization

extension ThpBench {
  private static let models: [MemoryModel] = [.vmemmap, .sparse]

  static func measureSplits(_ options: BenchOptions, into report: inout Report) throws {
    for page in SplitPage.allCases {
      for model in models {
        let id = "thp/split/\(page.rawValue)/\(model)"
        guard options.wants(id) else { continue }
        let ground = try SplitGround(page, model, isTouched: true)
        let turns = onProcessor { Turns(2, rounds: rounds(options), turns: 32) { ground.turn(isC: $0 == 1) } }
        report.add(id, turns, ["c"], reach: (1.1, 1))
      }
    }
    for page in SplitPage.allCases {
      for model in models {
        let id = "thp/split/\(page.rawValue)/\(model)/untouched"
        guard options.wants(id) else { continue }
        let ground = try SplitGround(page, model, isTouched: false)
        let turns = onProcessor { Turns(2, rounds: options.roundCount, turns: page.turns) { ground.turn(isC: $0 == 1) } }
        report.add(id, turns, ["c"])
      }
    }
  }

  /// What `body` returns, run on the first processor.
  static func onProcessor(_ body: @escaping @Sendable () -> Turns) -> Turns {
    nonisolated(unsafe) var turns: Turns?
    onThreads(1) { _ in turns = body() }
    guard let turns else { fatalError("a thread came to nothing") }
    return turns
  }
}

/// What is split.
private enum SplitPage: String, CaseIterable {
  case huge = "2M"
  case gigantic = "1G"

  var order: Order { self == .huge ? Order(9) : Order(18) }
  var parts: Order { self == .huge ? Order(0) : Order(9) }
  /// Turns of a round on memory that was never touched, of which each takes a page.
  var turns: Int { self == .huge ? 16 : 2 }
  var zone: FrameRange { FrameRange(start: .zero, count: FrameCount(self == .huge ? 1 << 20 : 1 << 24)) }
}

/// A zone with a page in it, mapped by an entry for each part, and its only reference besides the caller's.
private final class SplitGround: Sendable {
  private let page: SplitPage
  private let fixture: FolioFixture
  private let isTouched: Bool
  private static let cpu = CPUIndex(0)
  private static let count = 512
  /// Read before each turn, and larger than the nearer caches.
  private let others: Reservation
  private static let otherBytes = ByteCount.mebibytes(8)
  private static let owner: UInt64 = 7
  private static let index: UInt32 = 1 << 20

  init(_ page: SplitPage, _ model: MemoryModel, isTouched: Bool) throws {
    self.page = page
    self.isTouched = isTouched
    fixture = try FolioFixture(zone: page.zone, threads: 1, model: model, descriptorPages: isTouched ? .huge : .small)
    others = try Reservation(Self.otherBytes)
    others.bytes.initializeMemory(as: UInt8.self, repeating: 1)
  }

  private func descriptor(_ frame: FrameNumber) -> DescriptorPointer {
    guard let descriptor = fixture.table.descriptor(frame) else { fatalError("a page without descriptor") }
    return descriptor
  }

  /// Calls `body` with the first head of each run, and how many there are in it.
  private func forEachRun(of folio: FolioPlace, _ body: (UnsafeMutablePointer<megalith_descriptor>, FrameRange, Int) -> Void) {
    fixture.table.forEachRun(in: folio.frames) { run in
      body(
        UnsafeMutableRawPointer(run.base).assumingMemoryBound(to: megalith_descriptor.self), run.frames,
        Int(run.frames.count.rawValue >> UInt64(page.parts.rawValue)))
    }
  }

  /// Nanoseconds of one split, or of what it is compared with.
  func turn(isC: Bool) -> Double {
    let folio = made()
    if isTouched { evict(folio) }
    let found = try? fixture.zone.folio(containing: folio.frames.end - FrameCount(1))
    precondition(found == folio, "the page is not there")
    return isC ? writeInC(folio) : split(folio)
  }

  private func made() -> FolioPlace {
    var place: FolioPlace?
    mustNot { () throws(FolioError) in
      let folio = try fixture.zone.allocate(page.order, .movable, on: Self.cpu)
      place = FolioPlace(head: folio.head, order: folio.order)
    }
    guard let place else { fatalError("no page could be had") }
    let head = descriptor(place.head)
    head.pointee.take(.references(UInt32(Self.count)))
    head.pointee.mapCount.store(UInt32(Self.count), ordering: .relaxed)
    head.pointee.privateWord.store(Self.owner, ordering: .relaxed)
    head.pointee.privateIndex.store(Self.index, ordering: .relaxed)
    return place
  }

  private func evict(_ folio: FolioPlace) {
    forEachRun(of: folio) { head, _, count in megalith_c_evict(head, count, Int(page.parts.frames.rawValue)) }
    var sum: UInt64 = 0
    for place in stride(from: 0, to: others.bytes.count, by: 64) { sum &+= UInt64(others.bytes[place]) }
    precondition(sum != 0, "memory changed by itself")
  }

  private func split(_ folio: FolioPlace) -> Double {
    let entries = [UInt32](repeating: 1, count: Self.count)
    let time = timed {
      mustNot { () throws(FolioError) in
        try fixture.zone.split(inUse: folio, to: page.parts, entries: entries, references: 1, on: Self.cpu, pause: {})
      }
      // Here and below: until what was written is there.
      atomicMemoryFence(ordering: .sequentiallyConsistent)
    }
    // Where memory must not have been touched, nothing is given back, or it would be handed out again.
    guard isTouched else { return time }
    var frame = folio.head
    while frame < folio.frames.end {
      descriptor(frame).pointee.mapCount.store(0, ordering: .relaxed)
      fixture.zone.put(frame, on: Self.cpu)
      frame += page.parts.frames
    }
    // Their frames are to be one block again.
    fixture.zone.drain()
    return time
  }

  private func writeInC(_ folio: FolioPlace) -> Double {
    let head = descriptor(folio.head)
    let whole = head.pointee.shape
    let part = FrameShape(whole.kind, order: page.parts, mobility: whole.mobility, zone: whole.zone)
    let size = Int(page.parts.frames.rawValue)
    let time = timed {
      forEachRun(of: folio) { first, frames, count in
        let fields = megalith_descriptor(
          counts: 1, private_word: Self.owner, maps: 1, flags: 0, shape: part.rawValue,
          private_index: Self.index &+ UInt32(truncatingIfNeeded: (frames.start - folio.head).rawValue))
        megalith_c_split(first, count, size, fields)
      }
      atomicMemoryFence(ordering: .sequentiallyConsistent)
    }
    guard isTouched else { return time }
    forEachRun(of: folio) { first, _, count in megalith_c_split(first, count, size, megalith_descriptor()) }
    forEachRun(of: folio) { first, _, count in for index in 0..<count { first[index * size].private_index = 0 } }
    head.pointee.setShape(whole)
    head.pointee.unfreeze(.references(1))
    mustNot { () throws(FolioError) in try fixture.zone.free(at: folio.head, order: folio.order, on: Self.cpu) }
    return time
  }
}
