import FrameAllocator
import FrameMap
import MemoryUnits
import Testing

/// Where requests of each mobility go. See ``PageblockDrawing`` for the letters.
@Suite struct PageblockTests {
  // M:........ M:........ M:........ M:........
  //  reclaimable ->^         unmovable first, lowest; movable from the top
  @Test func mobilitiesKeepApart() throws {
    var zone = try PageblockDrawing("M:m....... M:........ M:........ M:........", order: 3)
    try zone.take(1, .unmovable)
    #expect(zone.text == "M:m....... U:uu...... M:........ M:........")
    try zone.take(1, .reclaimable)
    #expect(zone.text == "M:m....... U:uu...... R:rr...... M:........")
    try zone.take(1, .unmovable)
    try zone.take(2, .unmovable)
    try zone.take(1, .movable)
    #expect(zone.text == "M:m....... U:uuuuuuuu R:rr...... M:......mm")
    try zone.take(2, .reclaimable)
    #expect(zone.text == "M:m....... U:uuuuuuuu R:rr..rrrr M:......mm")
    #expect(zone.counts == PageblockCounts(claimed: 2))
    try zone.finish()
  }

  // Single frames come through the caches: a pageblock at a time where a wholly free one is claimed, else what is free of a word of
  // 64 frames, lowest first, though there are several pageblocks in it.
  @Test func singleFramesKeepApartToo() throws {
    var zone = try PageblockDrawing("M:........ M:........ M:........ M:........", order: 3)
    for _ in 0..<3 { try zone.take(0, .unmovable) }
    try zone.take(0, .reclaimable)
    try zone.take(0, .movable)
    #expect(zone.text == "U:uuu..... R:r....... M:m....... M:........")
    for _ in 0..<6 { try zone.take(0, .unmovable) }
    // The fourth pageblock was in a cache, and had to be drained.
    #expect(zone.text == "U:uuuuuuuu R:r....... M:m....... U:u.......")
    #expect(zone.counts == PageblockCounts(claimed: 3))
    try zone.finish()
  }

  // A request of whole pageblocks marks them all; freed, they keep the mark until somebody else claims them.
  @Test func largeRequestsMarkTheirPageblocks() throws {
    var zone = try PageblockDrawing("M:........ M:........ M:........ M:........ M:........ M:........", order: 3)
    let large = try zone.take(4, .unmovable)
    #expect(zone.text == "U:uuuuuuuu U:uuuuuuuu M:........ M:........ M:........ M:........")
    try zone.take(4, .reclaimable)
    #expect(zone.text == "U:uuuuuuuu U:uuuuuuuu R:rrrrrrrr R:rrrrrrrr M:........ M:........")
    try zone.give(large)
    try zone.take(3, .movable)
    try zone.take(4, .movable)
    #expect(zone.text == "M:mmmmmmmm M:mmmmmmmm R:rrrrrrrr R:rrrrrrrr M:........ M:mmmmmmmm")
    #expect(zone.counts == PageblockCounts())
    try zone.finish()
  }

  // MARK: Stealing and polluting

  // Half of the pageblock is free: 8 of 16, and the largest block of it lies in the second one.
  @Test func unmovableStealsWhatIsHalfFree() throws {
    var zone = try PageblockDrawing("M:mm..mmmmmmmmmmmm M:mmmm....m.m.m.mm M:mmmmmmmmmmmm..mm", order: 4)
    try zone.take(1, .unmovable)
    // 7 of 16.
    #expect(zone.text == "M:mm..mmmmmmmmmmmm M:mmmmuu..m.m.m.mm M:mmmmmmmmmmmm..mm")
    #expect(zone.counts == PageblockCounts(polluted: 1))
    try zone.finish()

    zone = try PageblockDrawing("M:mm..mmmmmmmmmmmm M:mmmm....m.m.m.m. M:mmmmmmmmmmmm..mm", order: 4)
    try zone.take(1, .unmovable)
    #expect(zone.text == "M:mm..mmmmmmmmmmmm U:mmmmuu..m.m.m.m. M:mmmmmmmmmmmm..mm")
    #expect(zone.counts == PageblockCounts(stolen: 1))
    // The next ones have a pageblock of their own.
    try zone.take(1, .unmovable)
    #expect(zone.text == "M:mm..mmmmmmmmmmmm U:mmmmuuuum.m.m.m. M:mmmmmmmmmmmm..mm")
    #expect(zone.counts == PageblockCounts(stolen: 1))
    try zone.take(1, .unmovable)
    #expect(zone.text == "M:mmuummmmmmmmmmmm U:mmmmuuuum.m.m.m. M:mmmmmmmmmmmm..mm")
    #expect(zone.counts == PageblockCounts(stolen: 1, polluted: 1))
    try zone.finish()
  }

  // What is held by its like counts as if it were free: neither moves, or both do.
  @Test func unmovableStealsWhatIsAlike() throws {
    var zone = try PageblockDrawing("M:mmmmmmmmuurr.u..", order: 4)
    try zone.take(1, .unmovable)
    #expect(zone.text == "U:mmmmmmmmuurr.uuu")
    #expect(zone.counts == PageblockCounts(stolen: 1))
    try zone.finish()

    zone = try PageblockDrawing("M:mmmmmmmcmuurr...", order: 4)
    try zone.take(1, .unmovable)
    #expect(zone.text == "M:mmmmmmmcmuurr.uu")
    #expect(zone.counts == PageblockCounts(polluted: 1))
    try zone.finish()
  }

  // Others' pageblocks in Linux's order: reclaimable before movable for what cannot move.
  @Test func unmovablePrefersReclaimablePageblocks() throws {
    var zone = try PageblockDrawing("M:..mmmmmm R:rrrrrr.. M:..mmmmmm", order: 3)
    try zone.take(1, .unmovable)
    #expect(zone.text == "M:..mmmmmm U:rrrrrruu M:..mmmmmm")
    try zone.take(1, .reclaimable)
    // Two frames of eight, and nothing alike.
    #expect(zone.text == "M:rrmmmmmm U:rrrrrruu M:..mmmmmm")
    #expect(zone.counts == PageblockCounts(stolen: 1, polluted: 1))
    try zone.finish()
  }

  // Small movable requests take the smallest block that serves, from the top, and leave the mark.
  @Test func smallMovableRequestsPolluteTheSmallestBlock() throws {
    // Half of the order of a pageblock is 3: no block is as large.
    let full = String(repeating: "u", count: 44)
    var zone = try PageblockDrawing("U:uuuu....u.u.u.u.uu.." + full, order: 6)
    try zone.take(1, .movable)
    #expect(zone.text == "U:uuuu....u.u.u.u.uumm" + full)
    try zone.take(1, .movable)
    #expect(zone.text == "U:uuuu..mmu.u.u.u.uumm" + full)
    #expect(zone.counts == PageblockCounts(polluted: 2))
    try zone.finish()
  }

  // From half of the order of a pageblock on a movable request may steal as well: here a block of 4 of 16.
  @Test func largeMovableBlocksMaySteal() throws {
    var zone = try PageblockDrawing("U:uuuuuuuu....uu.. R:........rrrr..rr", order: 4)
    try zone.take(1, .movable)
    #expect(zone.text == "U:uuuuuuuu....uu.. M:......mmrrrr..rr")
    #expect(zone.counts == PageblockCounts(stolen: 1))
    try zone.finish()

    // Large enough to steal, and too little of it free: the unmovable pageblock has the only block of 4.
    zone = try PageblockDrawing("U:uuuuuuuuu.uu.... R:rr.rrrrrrrrrr..r", order: 4)
    try zone.take(1, .movable)
    #expect(zone.text == "U:uuuuuuuuu.uu..mm R:rr.rrrrrrrrrr..r")
    #expect(zone.counts == PageblockCounts(polluted: 1))
    try zone.finish()
  }

  @Test func whereNobodyMayFallBackRequestsFail() throws {
    var zone = try PageblockDrawing("M:m....... M:.......m", order: 3, fallback: .never)
    let refusal = #expect(throws: FolioError.self) { try zone.take(1, .unmovable) }
    #expect(refusal == .exhausted(wanted: FrameCount(2), largestFree: FrameCount(4)))
    #expect(throws: FolioError.self) { try zone.take(0, .reclaimable) }
    try zone.take(2, .movable)
    #expect(zone.text == "M:m....... M:mmmm...m")
    #expect(zone.counts == PageblockCounts())
    try zone.finish()
  }

  // Contiguous areas lend to nobody, and borrow from nobody.
  @Test func contiguousAreasStandAlone() throws {
    var zone = try PageblockDrawing("M:m....... M:........ M:m.......", order: 3)
    try zone.take(1, .contiguous)
    #expect(zone.text == "M:m....... C:......cc M:m.......")
    try zone.take(2, .contiguous)
    #expect(zone.text == "M:m....... C:cccc..cc M:m.......")
    #expect(throws: FolioError.self) { try zone.take(2, .contiguous) }
    for _ in 0..<6 { try zone.take(1, .movable) }
    #expect(throws: FolioError.self) { try zone.take(1, .movable) }
    #expect(throws: FolioError.self) { try zone.take(1, .unmovable) }
    #expect(zone.text == "M:m.mmmmmm C:cccc..cc M:m.mmmmmm")
    try zone.finish()
  }

  // MARK: Groups

  // Groups of four pageblocks. The lowest has free pageblocks and is clean, the second is spoilt.
  @Test func aSpoiltGroupIsPreferred() throws {
    let clean = "M:........ M:........ M:........ M:........"
    var zone = try PageblockDrawing(
      clean + " M:m....... U:uuuuuuuu M:........ M:........ " + clean, order: 3, groupOrder: 5)
    try zone.take(1, .unmovable)
    #expect(zone.text == clean + " M:m....... U:uuuuuuuu U:uu...... M:........ " + clean)
    try zone.take(1, .reclaimable)
    #expect(zone.text == clean + " M:m....... U:uuuuuuuu U:uu...... R:rr...... " + clean)
    for _ in 0..<3 { try zone.take(1, .unmovable) }
    #expect(zone.text == clean + " M:m....... U:uuuuuuuu U:uuuuuuuu R:rr...... " + clean)
    // The group has no free pageblock left: the lowest of all.
    try zone.take(3, .unmovable)
    try zone.take(1, .unmovable)
    #expect(
      zone.text
        == "U:uuuuuuuu U:uu...... M:........ M:........ M:m....... U:uuuuuuuu U:uuuuuuuu R:rr...... " + clean)
    // What can move does not care.
    try zone.take(3, .movable)
    #expect(zone.text.hasSuffix("M:mmmmmmmm"))
    try zone.finish()

    zone = try PageblockDrawing(clean + " M:m....... U:uuuuuuuu M:........ M:........ " + clean, order: 3)
    try zone.take(1, .unmovable)
    #expect(zone.text.hasPrefix("U:uu......"))
    try zone.finish()
  }

  // Without a wholly free pageblock, one of a spoilt group is stolen or polluted before another group is.
  @Test func aSpoiltGroupIsStolenFromFirst() throws {
    let torn = "M:m....... M:m....... M:m....... M:m......."
    var zone = try PageblockDrawing(torn + " M:mmmmmm.. U:uuuuuuuu M:mmmmmmmm M:mmmm....", order: 3, groupOrder: 5)
    try zone.take(1, .unmovable)
    #expect(zone.text == torn + " M:mmmmmm.. U:uuuuuuuu M:mmmmmmmm U:mmmmuu..")
    try zone.take(1, .unmovable)
    try zone.take(1, .unmovable)
    #expect(zone.text == torn + " M:mmmmmmuu U:uuuuuuuu M:mmmmmmmm U:mmmmuuuu")
    #expect(zone.counts == PageblockCounts(stolen: 1, polluted: 1))
    try zone.take(1, .unmovable)
    #expect(zone.text.hasPrefix("U:m...uu.. M:m......."))
    try zone.finish()
  }
}
