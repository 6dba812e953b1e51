import MemoryUnits

/// One object cache of the kernel, as `/proc/slabinfo` prints it.
public struct SlabCache: Sendable, Hashable {
  public let name: String
  public let frames: FrameCount

  /// Reads caches, the largest first.
  public static func parse(_ content: [UInt8], path: String) throws(HostFileError) -> [SlabCache] {
    var caches: [SlabCache] = []
    for (number, line) in TextLines(content) {
      if line.starts(with: "slabinfo") || line.starts(with: "#") { continue }
      let fields = line.fields
      if fields.isEmpty { continue }
      guard fields.count >= 15, fields[12] == "slabdata", let framesPerSlab = fields[5].decimal,
        let slabs = fields[14].decimal
      else { throw .damaged(path: path, line: number, reason: "not a line of slab counts") }
      let (frames, overflowed) = framesPerSlab.multipliedReportingOverflow(by: slabs)
      guard !overflowed else { throw .damaged(path: path, line: number, reason: "cache size is out of range") }
      caches.append(SlabCache(name: fields[0].text, frames: FrameCount(frames)))
    }
    return caches.sorted { ($1.frames, $0.name) < ($0.frames, $1.name) }
  }
}
