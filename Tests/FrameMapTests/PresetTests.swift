import FrameMap
import Foundation
import HostArena
import MemoryUnits
import PhysicalLayout
import TestSupport
import Testing

/// Machines of every architecture with random holes, in every model.
@Suite struct PresetTests {
  static func boot(_ architecture: Architecture, seed: UInt64) throws -> BootLayout {
    let machine = try PhysicalMemory(
      total: .gibibytes(6), nodes: [.gibibytes(4), .gibibytes(2)], architecture: architecture)
    var boot = machine.boot()
    var map = boot.firmwareMap
    // On frame borders, and aligned powers of two.
    let crooked = try map.holes(count: HoleCount(12), size: .kibibytes(320), aligned: .kibibytes(64), seed: seed)
    map = map.punching(crooked, as: .absent)
    let aligned = try map.holes(count: HoleCount(2), size: .mebibytes(512), aligned: .mebibytes(512), seed: seed)
    boot.firmwareMap = map.punching(aligned, as: .reserved)
    return try BootLayout(of: boot)
  }

  /// Far enough above memory to grow, and small enough to recount.
  static func limit(_ architecture: Architecture) -> FrameNumber {
    FrameNumber(PhysicalAddress(64 << 30), architecture.baseShift, rounded: .down)
  }

  @Test(arguments: MemoryModel.allCases, Architecture.allPresets)
  func everyBorderIsExact(model: MemoryModel, architecture: Architecture) throws {
    for seed in 1...2 as ClosedRange<UInt64> {
      let boot = try Self.boot(architecture, seed: seed)
      let layout = try FrameMapLayout(boot, limit: Self.limit(architecture))
      let map = try FrameMap(layout, model: model, storage: HostStorage())
      try map.checkInvariants()
      let account = map.account()
      #expect(account == MemmapAccount(layout, model: model))
      #expect(account.memmapBytes.rawValue >= boot.present.rawValue * 32)

      let rule = ValidityRule(boot, model)
      var random = SplitMix(seed: seed)
      var places = boot.memory.flatMap { [$0.start.rawValue, $0.end.rawValue] }
      places += places.flatMap { place in
        [architecture.sectionFrames.rawValue, architecture.validityFrames.rawValue].flatMap { unit in
          [place / unit * unit, (place / unit + 1) * unit]
        }
      }
      places += (0..<200).map { _ in UInt64.random(in: 0..<layout.limit.rawValue, using: &random) }
      for place in places {
        for frame in place.saturatingMinusOne...place + 1 {
          let number = FrameNumber(frame)
          let wanted = rule.isValid(number)
          let isMemory = boot.memory.contains { $0.contains(number) }
          guard let descriptor = map.descriptor(number) else {
            if wanted || isMemory || map.table.isValid(number) { Issue.record("\(number) has no descriptor, seed \(seed)") }
            continue
          }
          if !wanted || map.table.isMemory(number) != isMemory || !map.table.isValid(number)
            || map.table.frame(of: descriptor) != number
          {
            Issue.record("\(number) is wrong, seed \(seed)")
          }
        }
      }
      var covered = FrameCount.zero
      var end = FrameNumber.zero
      for run in map.runs(in: FrameRange(start: .zero, end: layout.limit)) {
        if run.frames.start < end || map.table.descriptor(run.frames.end - FrameCount(1)) != run[run.frames.end - FrameCount(1)] {
          Issue.record("run \(run.frames), seed \(seed)")
        }
        covered += run.frames.count
        end = run.frames.end
      }
      let valid = map.validFrames
      #expect(covered == valid)
      let memory = map.memoryFrames
      #expect(memory == boot.present)
    }
  }

  /// S0.8, S0.1: which gigantic pages have contiguous descriptors.
  @Test(arguments: Architecture.allPresets) func giganticPagesAreContiguousAsTheModelHasIt(architecture: Architecture) throws {
    let layout = try FrameMapLayout(try Self.boot(architecture, seed: 3))
    let sectionOrder = try #require(Order(exactly: architecture.sectionFrames))
    for model in MemoryModel.allCases {
      let account = MemmapAccount(layout, model: model, descriptorSize: architecture.descriptorSize)
      for size in architecture.hugeSizes where architecture.isGigantic(size) {
        let order = size.order(baseShift: architecture.baseShift)
        let isScattered = model == .sparse || model == .sparseExtreme
        #expect(account.isContiguous(order) == (!isScattered || order <= sectionOrder))
      }
    }
    if architecture == .i386PAE { #expect(!architecture.hugeSizes.contains(where: architecture.isGigantic)) }
  }

  /// S0.2: over a 16 GiB page of ppc64, which crosses 1024 sections.
  @Test(arguments: MemoryModel.allCases) func aGiganticPageIsWalked(model: MemoryModel) throws {
    let architecture = Architecture.ppc64Granule64K
    let machine = try PhysicalMemory(total: .gibibytes(40), architecture: architecture)
    let layout = try FrameMapLayout(try BootLayout(of: machine.boot()), limit: Self.limit(architecture))
    let map = try FrameMap(layout, model: model, storage: HostStorage())
    let order = Order(18)
    let page = FrameRange(blockAt: FrameNumber(1 << 18), order: order)
    var runs = 0
    var frames = FrameCount.zero
    map.forEachRun(in: page) { run in
      runs += 1
      run.forEach { descriptor in
        _ = descriptor.pointee.counts
        frames += FrameCount(1)
      }
    }
    #expect(frames == page.count)
    #expect(runs == (model == .sparse || model == .sparseExtreme ? 1024 : 1))
    let table = map.table
    let head = try #require(table.descriptor(page.start))
    var place = head
    for offset in 1..<page.count.rawValue {
      guard let next = table.next(after: place, head: head, offset: FrameCount(offset)) else {
        Issue.record("no descriptor at \(offset)")
        return
      }
      place = next
    }
    #expect(table.frame(of: place) == page.end - FrameCount(1))
  }

  /// A machine of 64 TiB costs what is reserved and written, not what is free.
  @Test func sixtyFourTebibytes() throws {
    let architecture = Architecture.arm64Granule4K
    let machine = try PhysicalMemory(total: .gibibytes(64 << 10), architecture: architecture)
    let boot = try BootLayout(of: machine.boot())
    let layout = try FrameMapLayout(boot)
    let map = try FrameMap(layout, model: .vmemmap, storage: HostStorage())
    let account = map.account()
    #expect(account.memmapBytes == ByteCount(boot.present.rawValue * 32))
    #expect(account == MemmapAccount(layout, model: .vmemmap))
    // S3.5: a hole of terabytes is got over in a few steps; the last frame is found as fast as the first.
    try map.remove(FrameRange(start: FrameNumber(1 << 21), end: FrameNumber(1 << 33)))
    #expect(map.table.nextValid(from: FrameNumber(1 << 21)) == FrameNumber(1 << 33))
    let last = boot.memory[boot.memory.count - 1].end - FrameCount(1)
    #expect(map.table.isMemory(last))
    #expect(map.table.nextValid(from: last + FrameCount(1)) == nil)
  }

  /// In a process of its own, so that nothing else takes memory meanwhile.
  @Test(.enabled(if: !isSanitized, "a sanitizer's shadow of memory is resident too"))
  func sixtyFourTebibytesAreSmallAndQuick() async {
    await #expect(processExitsWith: .success) {
      let machine = try PhysicalMemory(total: .gibibytes(64 << 10), architecture: .arm64Granule4K)
      let layout = try FrameMapLayout(try BootLayout(of: machine.boot()))
      let before = residentBytes()
      let start = ContinuousClock.now
      let map = try FrameMap(layout, model: .vmemmap, storage: HostStorage())
      let duration = ContinuousClock.now - start
      let after = residentBytes()
      let frames = map.memoryFrames
      // A release build takes milliseconds; one with checks on, beside other tests, seconds.
      if frames.rawValue != 1 << 34 || after - before > 64 << 20 || duration > .seconds(20) { exit(EXIT_FAILURE) }
    }
  }

  /// A virtual memmap for more addresses than a process has is refused, and named.
  @Test func moreAddressesThanThereAreIsAnError() throws {
    let layout = try FrameMapLayout(try Self.boot(.riscv64, seed: 1))
    let size = ByteCount(1 << 49)
    #expect(throws: FrameMapError.storage(.noAddressSpace(size))) {
      _ = try FrameMap(layout, model: .vmemmap, storage: HostStorage())
    }
  }
}

extension UInt64 {
  fileprivate var saturatingMinusOne: UInt64 { self == 0 ? 0 : self - 1 }
}

/// Whether a frame has a descriptor, by the words of each model's definition.
private struct ValidityRule {
  let boot: BootLayout
  let model: MemoryModel

  init(_ boot: BootLayout, _ model: MemoryModel) {
    self.boot = boot
    self.model = model
  }

  func isValid(_ frame: FrameNumber) -> Bool {
    switch model {
    case .flat: return boot.memory[0].start <= frame && frame < boot.memory[boot.memory.count - 1].end
    case .discontiguous: return boot.nodes.contains { $0.span.contains(frame) }
    case .sparse, .sparseExtreme: return isTouched(frame, boot.architecture.sectionFrames)
    case .vmemmap: return isTouched(frame, boot.architecture.validityFrames)
    }
  }

  private func isTouched(_ frame: FrameNumber, _ unit: FrameCount) -> Bool {
    let range = FrameRange(start: frame.aligned(to: unit, .down), count: unit)
    return boot.memory.contains { $0.overlaps(range) }
  }
}

private func residentBytes() -> Int {
  let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
  return (text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) * 4096
}

/// Whether the address or thread sanitizer is linked in.
private let isSanitized = dlsym(nil, "__tsan_init") != nil || dlsym(nil, "__asan_init") != nil
