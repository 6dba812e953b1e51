import FoundationEssentials
import MemoryUnits
import SystemPackage

/// Writes what a survey reads of a host to a folder that can be surveyed elsewhere.
///
/// A capture holds nothing private: of the command line only what concerns memory, of the version only the release, of
/// the resource map only memory and unnamed devices, of processes only their short names and amounts.
public struct HostCapture {
  /// Why a capture was not made.
  public enum Failure: Error {
    /// The folder is there and holds something.
    case folderInUse(path: String)
    /// The folder cannot be written.
    case unwritable(path: String)
    case stopped
    /// The host's files could not be read, or are damaged.
    case host(HostFileError)
  }

  private let root: Sysroot
  private let folder: FilePath
  private let baseShift: PageShift

  /// What was left out, since it could not be read.
  public private(set) var unread: [HostFileError] = []
  public private(set) var bytesWritten = ByteCount.zero

  /// - Parameters:
  ///   - isStopped: asked between steps; where it says so, the work stops.
  /// - Throws: after taking away what was written; an unfinished capture never stands under the name asked for.
  public static func make(
    of root: Sysroot, into path: String, isStopped: () -> Bool,
    progress: (FrameNumber, FrameNumber) -> Void
  ) throws(Failure) -> HostCapture {
    let folder = FilePath(path)
    if FileManager.default.fileExists(atPath: path) {
      guard (try? FileManager.default.contentsOfDirectory(atPath: path).isEmpty) ?? false else {
        throw .folderInUse(path: path)
      }
    }
    do { _ = try HostReports(of: root) } catch { throw .host(error) }
    // A name of this capture's own: what stands under another name is somebody's.
    let partial = FilePath("\(folder.string).partial-\(LiveProcess.id)")
    do {
      try FileManager.default.createDirectory(atPath: partial.string, withIntermediateDirectories: false)
    } catch {
      throw .unwritable(path: partial.string)
    }
    var capture = try HostCapture(root, partial)
    do throws(Failure) {
      try capture.writeReports()
      try capture.writeFrames(isStopped: isStopped, progress: progress)
      try move(partial, to: path)
    } catch {
      try? FileManager.default.removeItem(atPath: partial.string)
      throw error
    }
    return capture
  }

  private static func move(_ partial: FilePath, to path: String) throws(Failure) {
    do {
      // An empty folder may stand there already.
      if FileManager.default.fileExists(atPath: path) { try FileManager.default.removeItem(atPath: path) }
      try FileManager.default.moveItem(atPath: partial.string, toPath: path)
    } catch {
      throw .unwritable(path: path)
    }
  }

  private init(_ root: Sysroot, _ folder: FilePath) throws(Failure) {
    self.root = root
    self.folder = folder
    do {
      baseShift = try HostReports.baseShift(of: root)
    } catch {
      throw .host(error)
    }
  }

  private mutating func writeReports() throws(Failure) {
    try write(CaptureFacts.path, "megalith.capture/1\nbasePage \(baseShift.bytes.rawValue)\n")
    for name in ["meminfo", "zoneinfo", "buddyinfo", "pagetypeinfo", "vmstat", "slabinfo"] { try copy("proc/\(name)") }
    try copy("proc/cmdline") { Redaction.commandLine($0) }
    try copy("proc/version") { Redaction.version($0) }
    try copy("proc/iomem") { Redaction.resources($0) }
    for name in Redaction.settings where root.exists("proc/sys/vm/\(name)") { try copy("proc/sys/vm/\(name)") }
    try copy("sys/kernel/mm/transparent_hugepage/enabled")
    try writePools("sys/kernel/mm/hugepages")
    try writeBlocks()
    try writeProcesses()
  }

  private mutating func writePools(_ path: String) throws(Failure) {
    for pool in (try? root.list(path)) ?? [] where pool.hasPrefix("hugepages-") {
      for name in ["nr_hugepages", "free_hugepages", "resv_hugepages", "surplus_hugepages", "nr_overcommit_hugepages"] {
        let file = "\(path)/\(pool)/\(name)"
        if root.exists(file) { try copy(file) }
      }
    }
  }

  private mutating func writeBlocks() throws(Failure) {
    var blocks: MemoryBlocks?
    do { blocks = try MemoryBlocks(of: root) } catch { unread.append(error) }
    if let blocks {
      try write("sys/devices/system/memory/block_size_bytes", String(blocks.size.rawValue, radix: 16) + "\n")
      try write(MemoryBlocks.runsPath, blocks.runs())
    }
    for node in (try? root.nodeNumbers()) ?? [] {
      let path = "sys/devices/system/node/node\(node)"
      try makeFolder(path)
      try writePools("\(path)/hugepages")
    }
  }

  private mutating func writeProcesses() throws(Failure) {
    let processes: [ProcessMemory]
    do {
      processes = try ProcessMemory.all(of: root)
    } catch {
      unread.append(error)
      return
    }
    for process in Redaction.processes(processes) {
      try write("proc/\(process.id)/status", Redaction.status(process))
    }
  }

  private mutating func writeFrames(
    isStopped: () -> Bool, progress: (FrameNumber, FrameNumber) -> Void
  ) throws(Failure) {
    let zones = (try? ZoneReport.parse(root.read("proc/zoneinfo"), path: "proc/zoneinfo")) ?? []
    let end = zones.map(\.span.end).max() ?? FrameNumber(0)
    let source: FlagSource
    do { source = try FlagSource(root) } catch {
      unread.append(error)
      return
    }
    // A capture of a capture takes over what the first one found.
    let isCopied = root.exists(MappedCounts.runsPath)
    var flags = RunWriter(try create(FlagSource.runsPath), FlagSource.runsHeader)
    var mapped = MappedWriter(root)
    var nextReport = FrameNumber(0)
    do throws(HostFileError) {
      let last = try source.forEachRun { (start, count, word) throws(HostFileError) -> Bool in
        try flags.add(count, word.canonical)
        if word.isEmpty, !isCopied { try mapped.add(FrameRange(start: start, count: count)) }
        if start >= nextReport {
          progress(start, end)
          nextReport = start + FrameCount(1 << 18)
        }
        return !isStopped()
      }
      bytesWritten += try flags.finish(frames: FrameCount(last.rawValue))
    } catch {
      throw .host(error)
    }
    guard !isStopped() else { throw .stopped }
    if isCopied { try copy(MappedCounts.runsPath) } else { try write(MappedCounts.runsPath, mapped.finish()) }
  }

  private mutating func copy(_ path: String, _ redact: ([UInt8]) -> [UInt8] = { $0 }) throws(Failure) {
    let content: [UInt8]
    do {
      content = try root.read(path)
    } catch {
      unread.append(error)
      return
    }
    try write(path, redact(content))
  }

  private func makeFolder(_ path: String) throws(Failure) {
    do {
      try FileManager.default.createDirectory(atPath: folder.appending(path).string, withIntermediateDirectories: true)
    } catch {
      throw .unwritable(path: folder.appending(path).string)
    }
  }

  private mutating func write(_ path: String, _ text: String) throws(Failure) { try write(path, Array(text.utf8)) }

  private mutating func write(_ path: String, _ content: [UInt8]) throws(Failure) {
    let descriptor = try create(path)
    do {
      try descriptor.closeAfter { _ = try descriptor.writeAll(content) }
    } catch {
      throw .unwritable(path: folder.appending(path).string)
    }
    bytesWritten += ByteCount(UInt64(content.count))
  }

  private func create(_ path: String) throws(Failure) -> FileDescriptor {
    let file = folder.appending(path)
    do {
      try FileManager.default.createDirectory(
        atPath: file.removingLastComponent().string, withIntermediateDirectories: true)
      return try FileDescriptor.open(
        file, .writeOnly, options: [.create, .exclusiveCreate], permissions: [.ownerReadWrite, .groupRead, .otherRead])
    } catch {
      throw .unwritable(path: file.string)
    }
  }
}

/// Writes runs of like frames as text, a chunk at a time: a host's runs may not fit in memory.
private struct RunWriter {
  private static let chunk = 256 << 10

  private let descriptor: FileDescriptor
  private var text: [UInt8]
  private var written = ByteCount.zero
  private var count = FrameCount.zero
  private var flags = FrameFlags()

  init(_ descriptor: FileDescriptor, _ header: StaticString) {
    self.descriptor = descriptor
    text = Array("\(header)\n".utf8)
  }

  mutating func add(_ more: FrameCount, _ word: FrameFlags) throws(HostFileError) {
    if word != flags { flush() }
    flags = word
    count += more
    if text.count > Self.chunk { try write() }
  }

  private mutating func flush() {
    guard count > .zero else { return }
    text += Array("\(count) \(String(flags.rawValue, radix: 16))\n".utf8)
    count = .zero
  }

  private mutating func write() throws(HostFileError) {
    do {
      _ = try descriptor.writeAll(text)
    } catch {
      throw HostFileError(error, path: FlagSource.runsPath)
    }
    written += ByteCount(UInt64(text.count))
    text.removeAll(keepingCapacity: true)
  }

  /// Ends the file, and returns its length.
  mutating func finish(frames: FrameCount) throws(HostFileError) -> ByteCount {
    flush()
    text += Array("end \(frames)\n".utf8)
    try write()
    try? descriptor.close()
    return written
  }
}

/// Collects which frames without flags are mapped.
private struct MappedWriter {
  private let counts: HostFile?
  private let flags: HostFile?
  private var text = "\(MappedCounts.runsHeader)\n"
  private var runs: UInt64 = 0

  init(_ root: Sysroot) {
    counts = try? root.open(MappedCounts.wordsPath)
    flags = try? root.open(FlagSource.wordsPath)
  }

  mutating func add(_ range: FrameRange) throws(HostFileError) {
    // Whole sections without flags are memory that was not handed over, or per-CPU lists; no process maps those.
    guard let counts, let flags, range.count < FrameCount(1 << 15) else { return }
    var found: [FrameNumber] = []
    try MappedCounts.forEachMapped(counts, flags: flags, in: range) { found.append($0.start) }
    runs += UInt64(found.count)
    for frame in found { text += "\(String(frame.rawValue, radix: 16)) 1\n" }
  }

  func finish() -> String { text + "end \(runs)\n" }
}
