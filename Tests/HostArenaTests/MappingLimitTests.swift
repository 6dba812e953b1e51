import FrameMap
import Glibc
import HostArena
import MemoryUnits
import PhysicalLayout
import Testing

/// What the host refuses half-way when the process is out of mappings, each in a process of its own.
@Suite(.serialized, .enabled(if: !isSanitized, "a sanitizer needs mappings of its own")) struct MappingLimitTests {
  /// Ranges of a frame each, so that each takes a mapping.
  static let scattered = (0..<6 as Range<UInt64>).map { physical($0 << 16, $0 << 16 | 4096) }

  @Test(arguments: Arena.Kind.allCases) func anArenaIsMadeInFullOrNotAtAll(kind: Arena.Kind) async {
    // What an exit test runs cannot take arguments along.
    if kind == .memfd {
      await #expect(processExitsWith: .success) { MappingLimitTests.makeArenas(.memfd) }
    } else {
      await #expect(processExitsWith: .success) { MappingLimitTests.makeArenas(.anonymous) }
    }
  }

  private static func makeArenas(_ kind: Arena.Kind) {
    var failures = 0
    let before = (mappings: MappingLimit.count(), files: MappingLimit.files())
    for spare in 0..<60 {
      guard var limit = MappingLimit() else { exit(2) }
      limit.free(spare)
      let isMade: Bool
      do throws(ArenaError) {
        let arena = try Arena(scattered, kind: kind, baseShift: PageShift(12))
        isMade = arena.ranges.count == scattered.count
      } catch {
        guard case .noAddressSpace = error else { exit(3) }
        isMade = false
        failures += 1
      }
      limit.release()
      if isMade { break }
    }
    // Each range takes two mappings, itself and the hole behind.
    if failures < 10 || failures > 40 { exit(4) }
    // The process has a few mappings of its own that come and go; what every failure left behind would be more.
    if MappingLimit.count() > before.mappings + failures / 2 { exit(5) }
    if MappingLimit.files() >= before.files + failures { exit(6) }
  }

  @Test func rangesThatCannotComeOrGoLeaveTheArenaAsItWas() async {
    await #expect(processExitsWith: .success) {
      let whole = physical(0, 64 << 12)
      guard let arena = try? Arena([whole], baseShift: PageShift(12), limit: PhysicalAddress(1 << 20)),
        (try? arena.directMap.fill(7, 7)) != nil, let limit = MappingLimit()
      else { exit(2) }
      // The middle of a mapping, and the middle of a hole.
      var errors: [ArenaError?] = [nil, nil]
      do throws(ArenaError) { try arena.remove(physical(5 << 12, 9 << 12)) } catch { errors[0] = error }
      do throws(ArenaError) { try arena.add(physical(70 << 12, 71 << 12)) } catch { errors[1] = error }
      limit.release()
      guard errors == [.noAddressSpace(.kibibytes(16)), .noAddressSpace(.kibibytes(4))], arena.ranges == [whole],
        (try? arena.directMap.byte(7)) == 7
      else { exit(3) }
      guard (try? arena.remove(physical(5 << 12, 9 << 12))) != nil, (try? arena.add(physical(70 << 12, 71 << 12))) != nil
      else { exit(4) }
    }
  }

  /// A memmap in pieces, of which one after the other cannot be mapped.
  @Test func aCommitIsMadeInFullOrNotAtAll() async {
    await #expect(processExitsWith: .success) {
      let machine = ArenaMachine.x86
      let regions = machine.fragmented(.kibibytes(4), 8)
      let use = StorageUse.descriptors(of: FrameRange(start: .zero, end: FrameNumber(1024)))
      var failures = 0
      for spare in 0..<40 {
        let source = RegionFrameSource(regions, baseShift: machine.shift)
        guard let arena = try? machine.arena(), let storage = try? ArenaStorage(arena, frames: source),
          let start = try? storage.reserve(.mebibytes(1), for: use), var limit = MappingLimit()
        else { exit(2) }
        limit.free(spare)
        var error: MemmapStorageError?
        do throws(MemmapStorageError) {
          try storage.commit(start + 8192, .kibibytes(32), for: use)
        } catch let found {
          error = found
        }
        limit.release()
        if error == nil {
          guard failures >= 6, storage.frames.count == 8 else { exit(3) }
          start.storeBytes(of: 1, toByteOffset: 8192, as: UInt64.self)
          storage.decommit(start + 8192, .kibibytes(32))
        } else {
          failures += 1
          guard error == .noAddressSpace(.kibibytes(32)) else { exit(4) }
          for page in 0..<8 where isReadable(start + 8192 + page * 4096) { exit(7) }
        }
        storage.release(start, .mebibytes(1))
        guard storage.frames.isEmpty, source.regions == regions, (try? arena.residentBytes) == .zero else { exit(5) }
        if error == nil { return }
      }
      exit(6)
    }
  }

  /// A part is taken out of the middle of a memmap when the kernel cannot cut the mapping: it traps, its frames are back, and
  /// it can come again.
  @Test(.enabled(if: closesPartsOfFiles, "needs marks in page tables of files, Linux 6.15"))
  func memoryGoesWhenNoMappingIsLeft() async {
    await #expect(processExitsWith: .success) {
      let machine = ArenaMachine.x86
      let source = RegionFrameSource(machine.regions, baseShift: machine.shift)
      let range = machine.frames(physical(8 << 20, 12 << 20))
      guard let arena = try? machine.arena(), let storage = try? ArenaStorage(arena, frames: source),
        let layout = try? machine.layout(), let map = try? FrameMap(layout, model: .vmemmap, storage: storage),
        let inside = map.descriptor(range.start), let below = map.descriptor(range.start - FrameCount(1))
      else { exit(2) }
      let before = ArenaStorageTests.size(storage.frames, machine.shift)
      inside.pointee.privateWord.store(1, ordering: .relaxed)
      below.pointee.privateWord.store(2, ordering: .relaxed)
      guard let limit = MappingLimit() else { exit(3) }
      var isRemoved = false
      do throws(FrameMapError) {
        try map.remove(range)
        isRemoved = true
      } catch {}
      let isRefused: Bool
      do throws(FrameMapError) {
        try map.add(range)
        isRefused = false
      } catch {
        isRefused = error == .storage(.noAddressSpace(.kibibytes(32)))
      }
      let after = ArenaStorageTests.size(storage.frames, machine.shift)
      limit.release()
      guard isRemoved, isRefused, after == before - .kibibytes(32) else { exit(4) }
      guard below.pointee.privateWord.load(ordering: .relaxed) == 2 else { exit(5) }
      guard (try? map.add(range)) != nil, inside.pointee.privateWord.load(ordering: .relaxed) == 0 else { exit(6) }
      guard (try? map.checkInvariants()) != nil, ArenaStorageTests.size(storage.frames, machine.shift) == before else { exit(7) }
    }
  }

  @Test(.enabled(if: closesPartsOfFiles, "needs marks in page tables of files, Linux 6.15"))
  func whatIsGoneTrapsWhenNoMappingIsLeft() async {
    await #expect(processExitsWith: .signal(SIGSEGV)) {
      let machine = ArenaMachine.x86
      let range = machine.frames(physical(8 << 20, 12 << 20))
      guard let arena = try? machine.arena(),
        let storage = try? ArenaStorage(arena, frames: RegionFrameSource(machine.regions, baseShift: machine.shift)),
        let layout = try? machine.layout(), let map = try? FrameMap(layout, model: .vmemmap, storage: storage),
        let inside = map.descriptor(range.start), let limit = MappingLimit(), (try? map.remove(range)) != nil
      else { exit(2) }
      limit.release()
      signal(SIGSEGV, SIG_DFL)
      inside.pointee.unfreeze(.references(1))
    }
  }
}

/// Whether the address or thread sanitizer is linked in.
private let isSanitized = dlsym(nil, "__tsan_init") != nil || dlsym(nil, "__asan_init") != nil

/// Asks the kernel to read a byte, which it refuses to do where a load would trap.
private func isReadable(_ place: UnsafeRawPointer) -> Bool {
  var ends: [Int32] = [0, 0]
  guard pipe(&ends) == 0 else { return true }
  defer { for end in ends { close(end) } }
  return write(ends[1], place, 1) == 1
}

/// Whether the kernel can close a part of a mapped file without cutting the mapping.
private let closesPartsOfFiles: Bool = {
  var version = utsname()
  guard uname(&version) == 0 else { return false }
  let text = withUnsafeBytes(of: &version.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  let numbers = text.split(separator: ".").prefix(2).compactMap { Int($0) }
  return numbers.count == 2 && (numbers[0], numbers[1]) >= (6, 15)
}()
