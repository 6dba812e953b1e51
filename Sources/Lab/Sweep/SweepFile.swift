import Foundation

/// Why results cannot be kept in a file.
public enum SweepFileError: Error, Hashable, Sendable, CustomStringConvertible {
  /// There are results already, and they were not to be gone on with.
  case exists(path: String)
  case data(path: String, SweepDataProblem)
  /// The results that are there are of something else.
  case otherSweep(path: String)
  /// A result that is there belongs to another shard.
  case otherShard(path: String, point: Int)
  /// Figures of a point are not those of the points before it, so that they have no columns.
  case otherFigures(point: Int, missing: [String], more: [String])
  case system(path: String, reason: String)

  public var description: String {
    switch self {
    case .exists(let path): return "\(path) has results already; resume, or name another file"
    case .data(let path, let problem): return "\(path): \(problem)"
    case .otherSweep(let path): return "\(path) has results of another scenario or another sweep"
    case .otherShard(let path, let point): return "\(path) has point \(point), which is another shard's"
    case .otherFigures(let point, let missing, let more):
      let parts =
        (missing.isEmpty ? [] : ["lacks " + missing.joined(separator: ", ")])
        + (more.isEmpty ? [] : ["has " + more.joined(separator: ", ")])
      return "point \(point) \(parts.joined(separator: " and ")), unlike those before; name the page sizes in sampling.sizes"
    case .system(let path, let reason): return "\(path): \(reason)"
    }
  }
}

/// The results of one shard in a file, a row appended and synced at a time, so that who is killed goes on where it stopped.
///
/// Not safe to use from several threads, or from several processes for one path.
public final class SweepFile {
  public let path: String
  public let identity: SweepIdentity
  /// Points whose rows are in the file.
  public private(set) var done: Set<Int> = []
  /// Rows that are there, in the file's order.
  public private(set) var rows: [SweepRow] = []
  private let handle: FileHandle

  /// Opens or makes the file.
  ///
  /// - Parameter resumes: whether results that are there stay and are gone on with. A row that a killed writer left unfinished goes away.
  /// - Throws: ``SweepFileError``. Nothing in the file has changed then.
  public init(path: String, identity: SweepIdentity, shard: Shard, resumes: Bool) throws(SweepFileError) {
    self.path = path
    self.identity = identity
    var bytes: [UInt8] = []
    do {
      if !FileManager.default.fileExists(atPath: path) { try Data().write(to: URL(filePath: path)) }
      handle = try FileHandle(forUpdating: URL(filePath: path))
      bytes = Array(try handle.readToEnd() ?? Data())
    } catch {
      throw .system(path: path, reason: SweepFile.reason(error))
    }
    guard resumes || bytes.isEmpty else { throw .exists(path: path) }
    let content: SweepFileContent?
    do throws(SweepDataProblem) {
      content = try SweepFileContent(bytes)
    } catch {
      throw .data(path: path, error)
    }
    // Only what a killed writer of results can have left is cut off.
    if content == nil, !Array("sweep,points,".utf8).starts(with: bytes.prefix(13)) {
      throw .data(path: path, SweepDataProblem("this is no result of a sweep"))
    }
    if let content, !content.rows.isEmpty {
      guard content.identity == identity else { throw .otherSweep(path: path) }
      for row in content.rows {
        guard (row.point - shard.number) % shard.count == 0 else { throw .otherShard(path: path, point: row.point) }
        guard done.insert(row.point).inserted else {
          throw .data(path: path, SweepDataProblem("point \(row.point) is there twice"))
        }
      }
      rows = content.rows
    }
    do {
      try handle.truncate(atOffset: UInt64(content?.length ?? 0))
      try handle.seekToEnd()
    } catch {
      throw .system(path: path, reason: SweepFile.reason(error))
    }
  }

  /// Appends a row and waits until it is on the disk.
  ///
  /// - Throws: ``SweepFileError``; of other figures nothing is written.
  public func append(_ row: SweepRow) throws(SweepFileError) {
    if let first = rows.first { try row.checkColumns(of: first) }
    let text = (rows.isEmpty ? SweepTable.header(identity, row) : "") + SweepTable.record(identity, row)
    do {
      try handle.write(contentsOf: Data(text.utf8))
      try handle.synchronize()
    } catch {
      throw .system(path: path, reason: SweepFile.reason(error))
    }
    rows.append(row)
    done.insert(row.point)
  }

  private static func reason(_ error: any Error) -> String {
    let underlying = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError
    let number = (underlying ?? error as NSError).code
    let domain = (underlying ?? error as NSError).domain
    return domain == NSPOSIXErrorDomain ? String(cString: strerror(Int32(number))) : (error as NSError).localizedDescription
  }
}
