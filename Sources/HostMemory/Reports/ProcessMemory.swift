import MemoryUnits

/// What one process holds that can stand in the way of large pages, from `/proc/PID/status`.
public struct ProcessMemory: Sendable, Hashable {
  public let id: UInt32
  /// The command's name, at most 15 bytes; never its arguments.
  public let name: String
  /// Memory that must stay where it is (`VmPin`), for a device.
  public let pinned: ByteCount
  /// Memory that must stay in memory (`VmLck`); it can still be moved.
  public let locked: ByteCount
  public let pageTables: ByteCount

  /// Nil for kernel threads, which have no memory of their own.
  public init?(parsing content: [UInt8], id: UInt32, path: String) throws(HostFileError) {
    var name = ""
    var amounts: [String: ByteCount] = [:]
    for (number, line) in TextLines(content) {
      guard let colon = line.firstIndex(of: 0x3a) else { continue }
      let key = line[..<colon]
      if key == "Name" {
        name = line[(colon + 1)...].trimmed.text
      } else if key == "VmPin" || key == "VmLck" || key == "VmPTE" {
        guard let kilobytes = line[(colon + 1)...].fields.first?.decimal, kilobytes < 1 << 50 else {
          throw .damaged(path: path, line: number, reason: "no amount after \(key.text)")
        }
        amounts[key.text] = .kibibytes(kilobytes)
      }
    }
    guard let pageTables = amounts["VmPTE"] else { return nil }
    self.id = id
    self.name = name
    self.pageTables = pageTables
    pinned = amounts["VmPin"] ?? .zero
    locked = amounts["VmLck"] ?? .zero
  }

  /// Every process whose status can be read, in order of its number. Processes that end meanwhile are left out, and so is
  /// the one that looks.
  public static func all(of root: Sysroot) throws(HostFileError) -> [ProcessMemory] {
    var processes: [ProcessMemory] = []
    for id in try root.list("proc").compactMap(UInt32.init).sorted() where !(root.isLive && id == LiveProcess.id) {
      let path = "proc/\(id)/status"
      do {
        let content = try root.read(path, limit: 1 << 20)
        if let process = try ProcessMemory(parsing: content, id: id, path: path) { processes.append(process) }
      } catch .damaged(let path, let line, let reason) {
        throw .damaged(path: path, line: line, reason: reason)
      } catch {
        continue
      }
    }
    return processes
  }
}
