import MemoryUnits

/// The ranges that `/proc/iomem` calls system memory, however deep: memory that a driver added later stands below its
/// device. (What the firmware said at boot is `FirmwareMap`'s business, which reads the top level only.)
enum SystemMemory {
  /// Whole frames, ascending; nil where the kernel prints zeros in place of addresses (to users other than root).
  static func parse(_ content: [UInt8], path: String, baseShift: PageShift) throws(HostFileError) -> [FrameRange]? {
    var ranges: [FrameRange] = []
    var isHidden = true
    for (number, line) in TextLines(content) {
      let line = line.trimmed
      if line.isEmpty { continue }
      guard let dash = line.firstIndex(of: 0x2d), let start = line[..<dash].hexadecimal,
        let space = line[dash...].firstIndex(of: 0x20), let last = line[(dash + 1)..<space].hexadecimal, start <= last,
        last < .max
      else { throw .damaged(path: path, line: number, reason: "not a range of addresses") }
      if last > 0 { isHidden = false }
      guard line[space...].trimmed.dropFirst().trimmed.starts(with: "System RAM") else { continue }
      let bytes = PhysicalRange(start: PhysicalAddress(start), end: PhysicalAddress(last + 1))
      let frames = FrameRange(bytes, baseShift, rounded: .down)
      if frames.isEmpty { continue }
      guard (ranges.last?.end).map({ $0 <= frames.start }) ?? true else {
        throw .damaged(path: path, line: number, reason: "ranges are not ascending")
      }
      ranges.append(frames)
    }
    if content.isEmpty || (!isHidden && ranges.isEmpty) {
      throw .damaged(path: path, line: nil, reason: "names no system memory: cut off")
    }
    return isHidden ? nil : ranges
  }
}
