import FrameAllocator
import FrameContents
import FrameMap
import HostArena
import Megalith
import MemoryUnits
import Mobility
import PhysicalLayout
import TestSupport
import Testing

/// A machine with contents and its movable folios.
final class Town {
  let machine: Machine<ArenaStorage>
  let people: Population

  init(_ model: MemoryModel = .vmemmap, keeping share: Double = 0.05, seed: UInt64 = 3) throws {
    machine = try ArenaTests.machine(model)
    people = try Population(machine, keeping: share, seed: seed)
  }

  var table: FrameTable { machine.map.table }
  func zone(of frame: FrameNumber) throws -> ZoneIndex {
    let zone = machine.zones.zone(of: frame)
    return try #require(zone)
  }
  /// The first free frame of a range.
  func free(in range: FrameRange) throws -> FrameNumber {
    var free: FrameNumber?
    machine.zones[try zone(of: range.start)].forEachUse(in: range) { use in
      if use.kind == .free { free = use.frames.start }
      return free == nil
    }
    return try #require(free)
  }
  func check() throws { try people.check(machine) }
  func finish() throws { try people.finish(machine) }
}

/// Movable folios all over a machine with contents, each filled with its own pattern.
final class Population {
  let ledger = FolioLedger()
  private var patterns: [(ticket: FolioLedger.Ticket, pattern: UInt8)] = []

  /// Fills `share` of each 512 frames, so that hardly a pageblock is without a folio: everything is taken as small folios, and most
  /// of it freed again.
  init(_ machine: borrowing Machine<ArenaStorage>, keeping share: Double, seed: UInt64) throws {
    var random = SplitMix(seed: seed)
    var heads: [FolioPlace] = []
    while let folio = try? machine.zones.allocate(
      Order([0, 1, 2, 4].randomElement(using: &random) ?? 0), FrameRequest(.movable, urgency: .emergency), on: CPUIndex(0))
    {
      heads.append(FolioPlace(head: folio.head, order: folio.order))
    }
    for place in heads {
      let folio = try machine.zones.adopt(place.head)
      if Double.random(in: 0..<1, using: &random) < share {
        try keep(folio, machine)
      } else {
        machine.zones.free(folio, on: CPUIndex(0))
      }
    }
    machine.zones.drain()
  }

  func keep(_ folio: consuming Folio, _ machine: borrowing Machine<ArenaStorage>) throws {
    let pattern = UInt8(truncatingIfNeeded: patterns.count &* 37 &+ 11)
    let frames = folio.frames
    let contents = machine.contents
    for frame in frames.start.rawValue..<frames.end.rawValue {
      try contents?.withMutableBytes(of: FrameNumber(frame)) { bytes in
        for index in stride(from: 0, to: bytes.count, by: 64) { bytes[index] = pattern &+ UInt8(truncatingIfNeeded: index >> 6) }
      }
    }
    patterns.append((ledger.keep(folio), pattern))
  }

  var count: Int { patterns.count }
  func place(_ index: Int) -> FolioPlace? { ledger.place(of: patterns[index].ticket) }

  /// The first folio that lies inside a range.
  func first(inside range: FrameRange) -> FolioPlace? {
    patterns.lazy.compactMap { self.ledger.place(of: $0.ticket) }.first { range.contains($0.frames) }
  }

  /// Every folio is somewhere, with its bytes, and the machine's books agree.
  func check(_ machine: borrowing Machine<ArenaStorage>) throws {
    let contents = machine.contents
    for (ticket, pattern) in patterns {
      let place = try #require(ledger.place(of: ticket))
      let found = try machine.zones.folio(containing: place.frames.end - FrameCount(1))
      #expect(found == place)
      for frame in place.frames.start.rawValue..<place.frames.end.rawValue {
        let isWhole = try contents?.withBytes(of: FrameNumber(frame)) { bytes in
          stride(from: 0, to: bytes.count, by: 64).allSatisfy { bytes[$0] == pattern &+ UInt8(truncatingIfNeeded: $0 >> 6) }
        }
        #expect(isWhole == true, "the bytes of \(FrameNumber(frame)) are others")
      }
    }
    try machine.checkInvariants()
  }

  /// Frees everything; the machine is drained and balanced but for `others`.
  func finish(_ machine: borrowing Machine<ArenaStorage>, others: FrameCount = .zero) throws {
    try check(machine)
    for (ticket, _) in patterns { ledger.free(ticket, to: machine.zones, on: CPUIndex(0)) }
    machine.zones.drain()
    let left = try machine.checkInvariants()
    #expect(left == others)
  }
}
