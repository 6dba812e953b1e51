import HostMemory
import MemoryUnits
import TestSupport
import Testing

/// Verdicts on drawn hosts. A picture has 8 letters per range of 16 MiB; below it stand the verdicts, one letter each:
/// `H` held, `f` free, `m` movable, `B` blocked, `-` excluded.
@Suite struct VerdictTests {
  static let gigantic = PageSize(shift: PageShift(24))
  static let huge = PageSize(shift: PageShift(21))

  static func survey(_ drawing: HostDrawing, size: PageSize = gigantic) throws -> (Survey, SizeResult) {
    let folder = try drawing.write()
    let survey = try Survey(of: Sysroot(folder.path), sizes: [size])
    return (survey, try #require(survey.sizes.first))
  }

  static func letters(_ result: SizeResult) -> String {
    String(
      result.verdicts.map { verdict -> Character in
        switch verdict.verdict {
        case .held: "H"
        case .free: "f"
        case .movable: "m"
        case .blocked: "B"
        case .excluded: "-"
        }
      })
  }

  @Test(arguments: [
    ("........", "f"), ("...m............", "mf"), ("...c....", "m"), ("...M............", "mf"), ("Gggggggg", "H"),
    ("...H....", "B"), ("...s....", "B"), ("...t....", "B"), ("...r....", "B"), ("...k....", "B"), ("...o....", "B"),
    ("...p....", "B"), ("... ....", "-"), ("...x....", "-"), ("....|....", "-"), ("........|...s....", "fB"),
  ])
  func oneRange(picture: String, verdicts: String) throws {
    let (_, result) = try Self.survey(HostDrawing(picture))
    #expect(Self.letters(result) == verdicts)
    let obtainable = verdicts.filter { "fm".contains($0) }.count
    #expect(result.obtainable == UInt64(obtainable))
  }

  @Test(arguments: [
    ("...s....", Reason.slab, 1), ("...t....", .pageTables, 1), ("...r....", .reserved, 1), ("...k....", .kernel, 4),
    ("...o....", .offline, 1), ("...p....", .poisoned, 1), ("..HH....", .smallerHugePages, 1024),
    ("...     ", .hole, 2560), ("......xx", .offline, 1024), ("....|....", .border, 4096),
  ])
  func reasonsAreCounted(picture: String, reason: Reason, frames: UInt64) throws {
    let (_, result) = try Self.survey(HostDrawing(picture))
    let verdict = try #require(result.verdicts.first)
    #expect(verdict.reasons[reason] == FrameCount(frames))
    #expect(verdict.certainty == .certain)
  }

  @Test func firstBlockingFrameIsNamed() throws {
    let (_, result) = try Self.survey(HostDrawing("..t..s.."))
    #expect(result.verdicts.first?.firstBlocking == FrameNumber(2 * 512 + 100))
    #expect(result.verdicts.first?.reasons == [.pageTables: FrameCount(1), .slab: FrameCount(1)])
  }

  @Test func remediesNameTheHardestFirst() throws {
    let (_, result) = try Self.survey(HostDrawing("..t..sH."))
    #expect(result.verdicts.first?.remedies == [.moveProcess, .dropCaches, .shrinkPool])
    #expect(result.remedies == [.moveProcess: 1])
  }

  @Test func aBareFrameIsFreeWhereListsHoldAsMany() throws {
    var drawing = HostDrawing("...z....|...s....")
    drawing.onLists = [1, 0]
    let (_, result) = try Self.survey(drawing)
    #expect(Self.letters(result) == "fB")
    #expect(result.verdicts.first?.certainty == .certain)
  }

  @Test func aBareFrameIsUnknownWhereListsAreEmpty() throws {
    let (_, result) = try Self.survey(HostDrawing("...z...."))
    #expect(Self.letters(result) == "B")
    #expect(result.verdicts.first?.certainty == .unknown)
    #expect(result.verdicts.first?.reasons == [.unknown: FrameCount(1)])
    #expect(result.verdicts.first?.firstBlocking == FrameNumber(3 * 512 + 100))
  }

  @Test func bareFramesAwayFromUnmovableOnesAreLikelyFree() throws {
    // 512 bare frames more than the lists hold, and as many next to a slab frame.
    var drawing = HostDrawing("...ZZ...y.......")
    drawing.onLists = [1024]
    let (_, result) = try Self.survey(drawing)
    #expect(Self.letters(result) == "fB")
    #expect(result.verdicts.first?.certainty == .likely)
  }

  @Test func mappedBareFramesAreSomebodys() throws {
    var drawing = HostDrawing("...ZZ...y.......")
    drawing.onLists = [1024]
    drawing.mapped = [3 * 512 + 7]
    let (_, result) = try Self.survey(drawing)
    #expect(Self.letters(result) == "BB")
    #expect(result.verdicts.first?.reasons[.kernel] == FrameCount(1))
  }

  @Test func framesBetweenListsSettleOnceAnotherRangeIsTaken() throws {
    let (_, alone) = try Self.survey(HostDrawing("...u...."))
    #expect(Self.letters(alone) == "B" && alone.obtainable == 0)
    #expect(alone.verdicts.first?.remedies == [.compact])
    let (_, together) = try Self.survey(HostDrawing("...u............"))
    #expect(Self.letters(together) == "mf" && together.obtainable == 2)
  }

  @Test func movingNeedsRoom() throws {
    // One block's worth of frames must move and nothing is free elsewhere.
    #expect(Self.letters(try Self.survey(HostDrawing("...m....")).1) == "B")
    let (_, full) = try Self.survey(HostDrawing("mmmmmmmm"))
    #expect(Self.letters(full) == "B")
    #expect(full.verdicts.first?.reasons == [.noRoom: FrameCount(4096)])
    // The cache is dropped, so it needs no room.
    let (_, cache) = try Self.survey(HostDrawing("cccccccc"))
    #expect(Self.letters(cache) == "m")
    // Room for one of two.
    let (_, one) = try Self.survey(HostDrawing("mmmm....mmmm...."))
    #expect(Self.letters(one) == "mB" && one.obtainable == 1)
  }

  @Test func pinsMakeMovableRangesUncertain() throws {
    var drawing = HostDrawing("...m............")
    let (_, without) = try Self.survey(drawing)
    #expect(without.verdicts.map(\.certainty) == [.likely, .certain])
    drawing.pinnedFrames = 3
    let (_, with) = try Self.survey(drawing)
    #expect(with.verdicts.map(\.certainty) == [.unknown, .certain])
  }

  @Test func movableZonesServeGiganticPagesOnlyWhereTheKernelSaysSo() throws {
    var drawing = HostDrawing("........|........")
    drawing.zoneNames = ["Normal", "Movable"]
    #expect(Self.letters(try Self.survey(drawing).1) == "f-")
    drawing.movableGigantic = 0
    #expect(Self.letters(try Self.survey(drawing).1) == "f-")
    drawing.movableGigantic = 1
    #expect(Self.letters(try Self.survey(drawing).1) == "ff")
    drawing.movableGigantic = nil
    #expect(try Self.survey(drawing, size: Self.huge).1.obtainable == 16)
  }

  @Test func newerKernelsMoveSmallerPoolPages() throws {
    var drawing = HostDrawing("...H............")
    #expect(Self.letters(try Self.survey(drawing).1) == "Bf")
    drawing.release = "7.0.1"
    #expect(Self.letters(try Self.survey(drawing).1) == "mf")
  }

  @Test func oldKernelsFlagOnlyTheFirstFrameOfAFreeBlock() throws {
    var drawing = HostDrawing("................")
    drawing.flagsFreeTails = false
    let (_, result) = try Self.survey(drawing)
    #expect(Self.letters(result) == "ff")
  }

  @Test func memoryThatWasNotHandedOverNeedsATouch() throws {
    // Sections of 128 MiB: 64 letters. The second one was not handed over.
    var drawing = HostDrawing(String(repeating: ".", count: 64) + String(repeating: "Z", count: 64))
    drawing.kept = [64 * 512]
    let (_, result) = try Self.survey(drawing)
    #expect(Self.letters(result) == "ffffffffBBBBBBBB")
    #expect(result.obtainable == 8 && result.remedies == [.touch: 8])
    #expect(result.reasons == [.deferred: FrameCount(64 * 512)])
    // Smaller pages make the kernel hand it over.
    #expect(try Self.survey(drawing, size: Self.huge).1.obtainable == 128)
  }

  @Test func nodesAreBorders() throws {
    var drawing = HostDrawing("....|....|........")
    drawing.nodes = [0, 1, 1]
    #expect(Self.letters(try Self.survey(drawing).1) == "-f")
  }
}
