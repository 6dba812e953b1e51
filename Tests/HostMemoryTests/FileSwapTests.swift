import AddressSpaces
import Foundation
import MemoryUnits
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import HostMemory

private func frames(_ start: UInt64, _ count: UInt64) -> FrameRange {
  FrameRange(start: FrameNumber(start), count: FrameCount(count))
}

/// A swap device in a file: what becomes of pages, and of files.
@Suite struct FileSwapTests {
  private let folder: TemporaryFolder
  private let file: String

  init() throws {
    folder = try TemporaryFolder()
    file = folder.path + "/swap"
  }

  private func make(_ slots: UInt64, at path: String? = nil) throws(FileSwapError) -> FileSwapDevice {
    try FileSwapDevice(path: path ?? file, slots: SlotCount(slots), baseShift: PageShift(12))
  }

  private func size(_ path: String) throws -> Int { try Data(contentsOf: URL(fileURLWithPath: path)).count }

  @Test(arguments: 1...3 as ClosedRange<UInt64>) func nothingIsLost(seed: UInt64) throws {
    let device = try make(100)
    #expect(try SwapTrial.lostSlots(on: device, steps: 40, seed: seed) == [])
    #expect(try size(file) == 100 * 4096)
  }

  @Test func whatIsThereGetsTheSizeAndItsOwnerAlone() throws {
    try folder.write("swap", [UInt8](repeating: 7, count: 50_000))
    chmod(file, 0o644)
    do { _ = try make(4) }
    #expect(try size(file) == 4 * 4096)
    let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int
    #expect(mode == 0o600)
    // Closed, it can be taken again, and larger.
    let device = try make(20)
    #expect(try size(file) == 20 * 4096)
    #expect(throws: FileSwapError.inUse(path: file)) { try make(30) }
    #expect(try size(file) == 20 * 4096)
    _ = device
  }

  @Test func whatIsNoRegularFileIsRefused() throws {
    let pipe = folder.path + "/pipe"
    #expect(mkfifo(pipe, 0o600) == 0)
    for path in [pipe, folder.path, "/dev/null"] {
      #expect(throws: FileSwapError.notRegular(path: path)) { try make(1, at: path) }
    }
    #expect(throws: FileSwapError.unusable(path: file + "/none", code: ENOENT)) { try make(1, at: file + "/none") }
  }

  @Test func aFileThatFindsNoRoomIsNotMade() throws {
    // Four pebibytes.
    do throws(FileSwapError) {
      _ = try make(1 << 40)
      Issue.record("a disk of four pebibytes")
    } catch {
      guard case .noSpace(file, let wanted, let available) = error else { throw error }
      #expect(wanted == ByteCount(1 << 52) && available < wanted)
      #expect(error.description.hasPrefix(file + ": 4P more are wanted"))
    }
    #expect(!FileManager.default.fileExists(atPath: file))
    #expect(throws: FileSwapError.tooLarge(path: file, slots: SlotCount(1 << 52))) { try make(1 << 52) }
    #expect(!FileManager.default.fileExists(atPath: file))

    try folder.write("swap", [1, 2, 3])
    #expect(throws: FileSwapError.self) { try make(1 << 40) }
    #expect(try Data(contentsOf: URL(fileURLWithPath: file)) == Data([1, 2, 3]))
  }

  @Test func aReservationThatFailsIsTakenBack() async {
    await #expect(processExitsWith: .success) { try FileSwapTests.reserveBeyondLimit(old: []) }
    await #expect(processExitsWith: .success) { try FileSwapTests.reserveBeyondLimit(old: [1, 2, 3]) }
  }

  /// In a process that may write small files only: the file system has room, and the reservation fails.
  private static func reserveBeyondLimit(old: [UInt8]) throws {
    let folder = try TemporaryFolder()
    let file = folder.path + "/swap"
    if !old.isEmpty { try folder.write("swap", old) }
    signal(SIGXFSZ, SIG_IGN)
    var limit = rlimit(rlim_cur: 8192, rlim_max: 8192)
    precondition(setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0, "no limit")
    do throws(FileSwapError) {
      _ = try FileSwapDevice(path: file, slots: SlotCount(100), baseShift: PageShift(12))
      preconditionFailure("a file beyond the limit")
    } catch {
      precondition(error == .unusable(path: file, code: EFBIG), "\(error)")
    }
    let left = FileManager.default.contents(atPath: file)
    precondition(left == (old.isEmpty ? nil : Data(old)), "not as it was")
  }

  @Test func aFileThatWasCutSaysWhere() throws {
    let memory = SwapTrial.memory()
    let device = try make(16)
    for number in 0..<16 as Range<UInt64> { try memory.stamp(FrameNumber(number), number) }
    try device.write(frames(0, 16), to: SwapSlot(0), in: memory.map)
    #expect(truncate(file, 9 * 4096 + 100) == 0)
    do throws(SwapDeviceError) {
      try device.read(SwapSlot(2), into: frames(130, 10), in: memory.map)
      Issue.record("read behind the end")
    } catch {
      #expect(error == .ended(SwapSlot(9), after: ByteCount(100)))
      #expect(device.description(of: error) == "\(file): slot 9: the file ends after 100 bytes of it")
    }
    // Slots before it came.
    for number in 0..<7 as Range<UInt64> { #expect(try memory.mark(FrameNumber(130 + number)) == 2 + number) }
  }

  /// A host that gives and takes what it likes: a little, nothing because of a signal, an error.
  private func device(
    _ slots: Int, _ answers: [Result<Int, Errno>], _ kept: Kept
  ) -> FileSwapDevice {
    let left = Left(answers)
    return FileSwapDevice(
      path: "file", slots: SlotCount(UInt64(slots)), baseShift: PageShift(12),
      FileAccess(
        read: { (bytes, offset) throws(Errno) in
          let count = min(try left.next(), bytes.count)
          kept.bytes.withLock { bytes.copyBytes(from: $0[Int(offset)..<Int(offset) + count]) }
          return count
        },
        write: { (bytes, offset) throws(Errno) in
          let count = min(try left.next(), bytes.count)
          kept.bytes.withLock { $0.replaceSubrange(Int(offset)..<Int(offset) + count, with: bytes[..<count]) }
          return count
        }))
  }

  @Test func shortStepsAndSignalsAreGoneOnAfter() throws {
    let kept = Kept(100)
    let answers: [Result<Int, Errno>] = [.success(1), .failure(.interrupted), .success(4097), .success(100_000)]
    // A number of answers that no run is served by alone.
    #expect(try SwapTrial.lostSlots(on: device(100, answers, kept), steps: 20, seed: 9) == [])
  }

  @Test func failuresNameTheSlot() throws {
    let memory = SwapTrial.memory()
    let cases: [(Errno, SwapDeviceError)] = [
      (.noSpace, .noSpace(SwapSlot(6))), (.diskQuotaExceeded, .noSpace(SwapSlot(6))),
      (.ioError, .failed(SwapSlot(6), code: Errno.ioError.rawValue)),
    ]
    for (code, wanted) in cases {
      // The third run begins at slot 4, and two pages and some bytes of it go.
      let answers: [Result<Int, Errno>] = [.success(4096), .success(4096), .success(2 * 4096 + 9), .failure(code)]
      #expect(throws: wanted) { try device(10, answers, Kept(10)).write(frames(6, 5), to: SwapSlot(2), in: memory.map) }
    }
    #expect(device(1, [], Kept(1)).description(of: .noSpace(SwapSlot(6))) == "file: slot 6: no space on its file system")
    #expect(throws: SwapDeviceError.contents(.metadataOnly)) {
      try device(10, [], Kept(10)).write(frames(0, 1), to: SwapSlot(0), in: nil)
    }
  }
}

/// The bytes of a file that is none.
private final class Kept: Sendable {
  let bytes: Mutex<[UInt8]>
  init(_ slots: Int) { bytes = Mutex([UInt8](repeating: 0, count: slots * 4096)) }
}

/// Answers by turns.
private final class Left: Sendable {
  private let answers: [Result<Int, Errno>]
  private let number = Mutex(0)
  init(_ answers: [Result<Int, Errno>]) { self.answers = answers }

  func next() throws(Errno) -> Int {
    let number = number.withLock { number in
      number += 1
      return number - 1
    }
    return try answers[number % answers.count].get()
  }
}
