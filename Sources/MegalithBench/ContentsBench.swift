import ArgumentParser
import CBaselines
import FrameContents
import HostArena
import MemoryUnits

struct ContentsBench: Suite {
  static let configuration = CommandConfiguration(
    commandName: "contents",
    abstract: "Clearing and copying of huge pages.",
    discussion: """
      Time a page, whose memory is resident and not in the nearer caches; works go in steps of 2 MiB. Baselines: the C library, \
      `rep stosb` and `rep movsb`, stores of 16 and 64 bytes past the caches, and stores of 32 and 64 bytes into them.

      1G         one page of 1 GiB a thread
      2M         pages of 2 MiB, one after the other, of 256 MiB

      A copy takes 2 GiB a thread; rows that would not fit into the memory that is available are left out.
      """)

  @OptionGroup var options: BenchOptions
  @OptionGroup var parts: BenchParts

  static func measure(_ options: BenchOptions, into report: inout Report) throws {
    for size in PageSize.allCases {
      for threads in 1...(size == .gigantic ? 2 : 1) {
        for operation in Operation.allCases {
          let id = "contents/\(operation.rawValue)/\(size.rawValue)/t\(threads)"
          guard options.wants(id) else { continue }
          try requireProcessors(threads)
          let need = ByteCount(size.arena.rawValue * UInt64(threads) * (operation == .copy ? 2 : 1))
          // Half as much again, so that the machine's other work is not pushed out.
          guard ByteCount(megalith_available()) >= ByteCount(need.rawValue / 2 * 3) else {
            report.remarks.append("\(id): left out, \(need) of memory are not available")
            continue
          }
          report.rows.append(try measure(id, operation, size, threads, options))
        }
      }
    }
  }

  private static func measure(
    _ id: String, _ operation: Operation, _ size: PageSize, _ threads: Int, _ options: BenchOptions
  ) throws -> Row {
    let arena = try ContentsArena(size, isCopied: operation == .copy, threads: threads)
    let sides = [ContentsSide.works] + (0..<megalith_mover_count()).compactMap { ContentsSide(baseline: $0) }
    let samples = interleaved(sides, rounds: options.roundCount) { side in [arena.round(side, operation)] }.map { $0[0] }
    let baselines = zip(sides, samples).dropFirst().map { (name: $0.name, samples: $1) }
    let best = baselines.map { $0.samples.median }.min()
    return Row(id: id, samples: samples[0], baselines: baselines, target: best.map { $0 / 0.95 })
  }

  enum Operation: String, CaseIterable {
    case clear, copy
  }

  enum PageSize: String, CaseIterable {
    case gigantic = "1G"
    case huge = "2M"

    var frames: FrameCount { self == .gigantic ? Order(18).frames : Order(9).frames }
    /// The memory of a thread.
    var arena: ByteCount { self == .gigantic ? .gibibytes(1) : .mebibytes(256) }
  }
}

/// Who clears and copies: the engine, or a loop in C.
private enum ContentsSide: Sendable {
  case works
  case baseline(UInt32, name: String)

  /// Nil where this processor lacks what the loop needs.
  init?(baseline index: UInt32) {
    guard let name = megalith_mover_name(index) else { return nil }
    self = .baseline(index, name: String(cString: name))
  }

  var name: String {
    switch self {
    case .works: "works"
    case .baseline(_, let name): name
    }
  }
}

/// Resident memory for each thread: a range of frames to write, and one to read.
private final class ContentsArena: Sendable {
  private static let shift = PageShift(12)
  private let size: ContentsBench.PageSize
  private let threads: Int
  /// Targets first, then sources, by thread.
  private let memory: [Reservation]
  nonisolated(unsafe) private let windows: UnsafeMutableBufferPointer<DirectWindow>
  private let map: DirectMap

  init(_ size: ContentsBench.PageSize, isCopied: Bool, threads: Int) throws {
    self.size = size
    self.threads = threads
    // Whole huge pages lie inside whatever the start is.
    let slack = ByteCount.mebibytes(2)
    memory = try (0..<threads * (isCopied ? 2 : 1)).map { _ in try Reservation(size.arena + slack) }
    let count = FrameCount(size.arena, Self.shift, rounded: .down)
    windows = .allocate(capacity: memory.count)
    for (index, reservation) in memory.enumerated() {
      guard let base = reservation.bytes.baseAddress else { throw BenchError.outOfMemory }
      let aligned = base.alignedUp(toMultipleOf: Int(slack.rawValue))
      megalith_populate(aligned, Int(size.arena.rawValue))
      let frames = FrameRange(start: FrameNumber(count.rawValue * UInt64(index)), count: count)
      windows.initializeElement(at: index, to: DirectWindow(frames: frames, base: aligned))
    }
    map = DirectMap(windows: UnsafeBufferPointer(windows), baseShift: Self.shift)
  }

  deinit { windows.deallocate() }

  /// Nanoseconds a page, as the slowest thread saw them.
  func round(_ side: ContentsSide, _ operation: ContentsBench.Operation) -> Double {
    nonisolated(unsafe) let times = UnsafeMutableBufferPointer<Double>.allocate(capacity: threads)
    times.initialize(repeating: 0)
    defer { times.deallocate() }
    let meeting = Rendezvous(threads: threads)
    onThreads(threads) { [self] thread in
      meeting.wait()
      times[thread] = timed { run(side, operation, thread) }
    }
    let pages = size.arena.rawValue / ByteCount(size.frames, Self.shift).rawValue
    return (times.max() ?? 0) / Double(pages)
  }

  /// Every page of a thread once.
  private func run(_ side: ContentsSide, _ operation: ContentsBench.Operation, _ thread: Int) {
    let target = windows[thread]
    let source = operation == .copy ? windows[thread + threads] : target
    let bytes = Int(ByteCount(size.frames, Self.shift).rawValue)
    var offset = FrameCount.zero
    while offset < target.frames.count {
      let to = FrameRange(start: target.frames.start + offset, count: size.frames)
      let from = FrameRange(start: source.frames.start + offset, count: size.frames)
      let place = Int(ByteCount(offset, Self.shift).rawValue)
      switch (side, operation) {
      case (.works, .clear): size == .gigantic ? clearGigantic(to.start, map) : clearHuge(to.start, map)
      case (.works, .copy):
        size == .gigantic ? copyGigantic(from.start, to.start, map) : copyHuge(from.start, to.start, map)
      case (.baseline(let mover, _), .clear): megalith_mover_clear(mover, target.base + place, bytes)
      case (.baseline(let mover, _), .copy): megalith_mover_copy(mover, target.base + place, source.base + place, bytes)
      }
      offset += size.frames
    }
  }
}

/// Frames of a step: what may pass before a caller is asked whether to go on.
private let step = Order(9).frames

// A function a size, each with a constant: Scripts/same-inner-loop.sh shows that nothing but that differs.

@inline(never) private func clearHuge(_ page: FrameNumber, _ map: DirectMap) {
  clear(FrameRange(start: page, count: FrameCount(1 << 9)), map)
}
@inline(never) private func clearGigantic(_ page: FrameNumber, _ map: DirectMap) {
  clear(FrameRange(start: page, count: FrameCount(1 << 18)), map)
}
@inline(never) private func copyHuge(_ source: FrameNumber, _ target: FrameNumber, _ map: DirectMap) {
  copy(FrameRange(start: source, count: FrameCount(1 << 9)), target, map)
}
@inline(never) private func copyGigantic(_ source: FrameNumber, _ target: FrameNumber, _ map: DirectMap) {
  copy(FrameRange(start: source, count: FrameCount(1 << 18)), target, map)
}

@inline(__always) private func clear(_ page: FrameRange, _ map: DirectMap) {
  do {
    var work = try ClearWork(page, in: map, with: HostMover.self)
    while work.advance(by: step) > .zero {}
  } catch { refused(error) }
}
@inline(__always) private func copy(_ source: FrameRange, _ target: FrameNumber, _ map: DirectMap) {
  do {
    var work = try CopyWork(source, to: target, in: map, with: HostMover.self)
    while work.advance(by: step) > .zero {}
  } catch { refused(error) }
}

@inline(never) private func refused(_ error: ContentsError) -> Never { fatalError("the arena refused: \(error)") }
