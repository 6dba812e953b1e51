import MemoryUnits
import Testing

@Suite struct UnitTests {
  let shift = PageShift(12)

  @Test func conversionsRoundOnlyInANamedDirection() {
    #expect(FrameCount(ByteCount(4097), shift, rounded: .down) == FrameCount(1))
    #expect(FrameCount(ByteCount(4097), shift, rounded: .up) == FrameCount(2))
    #expect(FrameCount(ByteCount(8192), shift, rounded: .up) == FrameCount(2))
    #expect(FrameCount(exactly: ByteCount(4097), shift) == nil)
    #expect(FrameCount(exactly: ByteCount(8192), shift) == FrameCount(2))
    #expect(FrameNumber(exactly: PhysicalAddress(0x1001), shift) == nil)
    #expect(FrameNumber(PhysicalAddress(0x1001), shift, rounded: .up) == FrameNumber(2))
    #expect(ByteCount(FrameCount(512), shift) == .mebibytes(2))
    #expect(PhysicalAddress(FrameNumber(0x40000), shift) == PhysicalAddress(0x4000_0000))
  }

  @Test func wholeFramesOfAByteRange() {
    let bytes = PhysicalRange(start: PhysicalAddress(0x1800), end: PhysicalAddress(0x4400))
    #expect(FrameRange(bytes, shift, rounded: .down) == FrameRange(start: FrameNumber(2), end: FrameNumber(4)))
    #expect(FrameRange(bytes, shift, rounded: .up) == FrameRange(start: FrameNumber(1), end: FrameNumber(5)))
    let inside = PhysicalRange(start: PhysicalAddress(0x1800), end: PhysicalAddress(0x1900))
    #expect(FrameRange(inside, shift, rounded: .down).isEmpty)
  }

  @Test func sharesRoundDown() {
    #expect(Percent(30).of(FrameCount(1001)) == FrameCount(300))
    #expect(Percent(301).of(FrameCount(99)) == FrameCount(297))
    #expect(Percent(100).of(ByteCount(.max)) == ByteCount(.max))
    #expect(Percent(0).of(FrameCount(7)) == .zero && Percent(7).description == "7 %")
  }

  @Test func orders() {
    #expect(Order(18).frames == FrameCount(262_144))
    #expect(Order(exactly: FrameCount(512)) == Order(9))
    #expect(Order(exactly: FrameCount(513)) == nil)
    #expect(PageSize(exactly: .gibibytes(1))?.order(baseShift: shift) == Order(18))
    #expect(PageSize(exactly: .gibibytes(16))?.order(baseShift: PageShift(16)) == Order(18))
    #expect(PageSize(exactly: ByteCount(3 << 30)) == nil)
    #expect(FrameNumber(0x40200).alignmentOrder == Order(9))
  }

  @Test func rangesAreHalfOpenAndPrintSo() {
    let range = FrameRange(start: FrameNumber(0x200), end: FrameNumber(0x400))
    #expect(range.description == "[0x200, 0x400)")
    #expect(range.contains(FrameNumber(0x200)) && !range.contains(FrameNumber(0x400)))
    #expect(range.count == FrameCount(512))
    let next = FrameRange(start: range.end, count: FrameCount(1))
    #expect(!range.overlaps(next) && range.intersection(next).isEmpty)
    let odd = FrameRange(start: FrameNumber(0x1ff), end: FrameNumber(0x601))
    #expect(odd.aligned(to: FrameCount(512), .down) == FrameRange(start: FrameNumber(0x200), end: FrameNumber(0x600)))
    #expect(odd.aligned(to: FrameCount(512), .up) == FrameRange(start: FrameNumber(0), end: FrameNumber(0x800)))
    let tiny = FrameRange(start: FrameNumber(1), end: FrameNumber(3))
    #expect(tiny.aligned(to: FrameCount(512), .down).isEmpty)
  }

  @Test func amountsSaturateOnRequestOnly() {
    #expect(FrameCount(3).saturatingSubtracting(FrameCount(5)) == .zero)
    #expect(FrameCount(1000) / FrameCount(512) == 1)
    #expect(FrameCount(1000) % FrameCount(512) == FrameCount(488))
  }
}

@Suite struct SizeTextTests {
  @Test(
    arguments: [
      ("1G", 1 << 30), ("2M", 2 << 20), ("64K", 64 << 10), ("16GiB", 16 << 30), ("1gb", 1 << 30), ("4096", 4096), ("0", 0),
      ("5T", 5 << 40), ("10b", 10),
    ] as [(String, UInt64)])
  func sizesParse(text: String, bytes: UInt64) throws {
    #expect(try ByteCount(parsing: text) == ByteCount(bytes))
  }

  @Test(arguments: [
    ("", SizeTextError.noDigits), ("G", .noDigits), ("3X", .unknownUnit), ("1Gi", .unknownUnit), ("1GiBB", .unknownUnit),
    ("99999999999999999999", .tooLarge), ("16E", .tooLarge), ("1 G", .unknownUnit), ("-1", .noDigits),
  ])
  func otherTextsAreRefused(text: String, error: SizeTextError) {
    #expect(throws: error) { try ByteCount(parsing: text) }
  }

  @Test(arguments: ["1G", "2M", "64K", "1536M", "513", "0", "15E"])
  func sizesPrintAsTheyParse(text: String) throws {
    #expect(try ByteCount(parsing: text).description == text)
  }
}

@Suite struct TrapTests {
  @Test func overflowTraps() async {
    await #expect(processExitsWith: .failure) { _ = FrameCount(.max) + FrameCount(1) }
    await #expect(processExitsWith: .failure) { _ = FrameNumber(1) - FrameNumber(2) }
    await #expect(processExitsWith: .failure) { _ = ByteCount(FrameCount(1 << 60), PageShift(12)) }
    await #expect(processExitsWith: .failure) { _ = Order(64).frames }
  }

  @Test func malformedRangesTrap() async {
    await #expect(processExitsWith: .failure) { _ = FrameRange(start: FrameNumber(2), end: FrameNumber(1)) }
    await #expect(processExitsWith: .failure) { _ = FrameRange(blockAt: FrameNumber(0x100), order: Order(9)) }
  }
}
