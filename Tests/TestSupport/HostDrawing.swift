import Foundation

/// A host drawn as text, written as a sysroot: one letter per pageblock of 512 frames, zones parted by `|`.
///
///     .  free                      s  free but one slab frame        H  a pool page of 2 MiB
///     m  movable, needs room       t  ... one page table             G  first block of a pool page of 16 MiB
///     c  file cache, unmodified    r  ... one reserved frame         g  its other blocks
///     M  half free, half movable   k  ... a large kernel allocation  o  free but one frame of a balloon
///     z  free but one bare frame   u  ... one frame between lists    p  free but one poisoned frame
///     Z  all bare (no flags)       y  all bare but one slab frame    x  a block that is not online     (blank)  hole
///
/// Pages of 16 MiB (8 letters) are gigantic here, since the allocator's top order is 10.
public struct HostDrawing {
  public var picture: String
  /// By zone, in order; `Normal` where fewer are named.
  public var zoneNames: [String] = []
  /// By zone: nodes; 0 where fewer are given.
  public var nodes: [Int] = []
  /// By zone: frames on per-CPU lists; 0 where fewer are given, and no figure at all for nil.
  public var onLists: [Int?] = []
  /// By zone: frames that the kernel has not handed to its allocator.
  public var kept: [Int] = []
  public var release = "6.12.0"
  /// The setting of that name; nil for kernels without it.
  public var movableGigantic: Int?
  public var pinnedFrames = 0
  /// Whether the kernel flags every frame of a free block, or only the first of each block of 1024.
  public var flagsFreeTails = true
  /// Bare frames that processes map.
  public var mapped: [Int] = []
  public var minimum = 0

  public static let blockFrames = 512

  public init(_ picture: String) { self.picture = picture }

  private static let buddy = 1 << 10
  private static let lru = 1 << 5
  private static let hole = 1 << 20

  private var zones: [Substring] { picture.split(separator: "|", omittingEmptySubsequences: false) }

  /// Writes the sysroot.
  public func write() throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    try write(to: folder)
    return folder
  }

  /// Writes the sysroot to a folder, over what it holds.
  ///
  /// - Parameter frames: whether the frames changed too, and not the sums only.
  public func write(to folder: TemporaryFolder, frames: Bool = true) throws {
    if frames {
      try folder.write("proc/kpageflags", flagsFreeTails ? zones.joined().flatMap(Self.bytes) : Self.words(flags()))
      var counts = [UInt8](repeating: 0, count: picture.count * Self.blockFrames * 8)
      for frame in mapped { counts[frame * 8] = 1 }
      try folder.write("proc/kpagecount", counts)
    }
    try folder.write("proc/zoneinfo", zoneinfo())
    try folder.write("proc/meminfo", "MemTotal: \(managedFrames * 4) kB\nMemAvailable: 0 kB\n")
    try folder.write("proc/vmstat", "nr_foll_pin_acquired \(pinnedFrames)\nnr_foll_pin_released 0\n")
    try folder.write("proc/version", "Linux version \(release) (nobody@nowhere)\n")
    try folder.write("proc/buddyinfo", "Node 0, zone Normal 0 0 0 0 0 0 0 0 0 0 1\n")
    try folder.write("proc/pagetypeinfo", "Page block order: 9\nPages per block: 512\n")
    try folder.write("megalith-capture", "megalith.capture/1\nbasePage 4096\n")
    if let movableGigantic { try folder.write("proc/sys/vm/movable_gigantic_pages", "\(movableGigantic)\n") }
    for kilobytes in [2048, 16384] {
      for file in ["nr_hugepages", "free_hugepages", "resv_hugepages", "surplus_hugepages", "nr_overcommit_hugepages"] {
        try folder.write("sys/kernel/mm/hugepages/hugepages-\(kilobytes)kB/\(file)", "0\n")
      }
    }
    try writeBlocks(folder)
  }

  private static func words(_ values: [Int]) -> [UInt8] {
    values.map(\.littleEndian).withUnsafeBytes(Array.init)
  }

  /// Drawings are written again after each change, most of whose letters are as before.
  private static let known = Dictionary(uniqueKeysWithValues: ".mcMstrkzZyuopHGgx ".map { ($0, words(block($0))) })

  private static func bytes(_ letter: Character) -> [UInt8] { known[letter] ?? words(block(letter)) }

  /// Memory blocks are single pageblocks here, so that one can be offline.
  private func writeBlocks(_ folder: TemporaryFolder) throws {
    var runs = ""
    var index = 0
    for (zone, letters) in zones.enumerated() {
      for letter in letters {
        if letter != " " { runs += "\(index)-\(index) \(letter == "x" ? "offline" : "online") \(node(zone))\n" }
        index += 1
      }
    }
    try folder.write("sys/devices/system/memory/block_size_bytes", "200000\n")
    let blocks = runs.filter { $0 == "\n" }.count
    try folder.write("sys/devices/system/memory/blocks.runs", runs + "end \(blocks)\n")
  }

  private func node(_ zone: Int) -> Int { zone < nodes.count ? nodes[zone] : 0 }

  private var managedFrames: Int { zones.indices.reduce(0) { $0 + counts($1).managed } + kept.reduce(0, +) }

  private func counts(_ zone: Int) -> (spanned: Int, present: Int, managed: Int) {
    let letters = zones[zone]
    let spanned = letters.count * Self.blockFrames
    let present = letters.filter { $0 != " " && $0 != "x" }.count * Self.blockFrames
    let reserved = letters.filter { $0 == "r" }.count
    return (spanned, present, present - reserved - (zone < kept.count ? kept[zone] : 0))
  }

  private func zoneinfo() -> String {
    var text = ""
    var start = 0
    for zone in zones.indices {
      let count = counts(zone)
      let name = zone < zoneNames.count ? zoneNames[zone] : "Normal"
      let free = zones[zone].reduce(0) { $0 + ($1 == "." ? 512 : $1 == "M" ? 256 : "stroupz".contains($1) ? 511 : 0) }
      text += "Node \(node(zone)), zone \(name)\n  pages free     \(free)\n        min      \(minimum)\n"
      text += "        spanned  \(count.spanned)\n        present  \(count.present)\n        managed  \(count.managed)\n"
      text += "      nr_inactive_file \(zones[zone].filter { $0 == "c" }.count * Self.blockFrames)\n"
      if let lists = zone < onLists.count ? onLists[zone] : .some(0) {
        text += "  pagesets\n    cpu: 0\n              count: \(lists)\n"
      }
      text += "  start_pfn:           \(start)\n"
      start += count.spanned
    }
    return text
  }

  private func flags() -> [Int] {
    var frames = zones.joined().flatMap(Self.block)
    guard !flagsFreeTails else { return frames }
    for frame in frames.indices where frames[frame] == Self.buddy && frame % 1024 != 0 {
      if frame > 0, frames[frame - frame % 1024] == Self.buddy { frames[frame] = 0 }
    }
    return frames
  }

  private static func block(_ letter: Character) -> [Int] {
    func filled(_ flags: Int) -> [Int] { [Int](repeating: flags, count: blockFrames) }
    func freeBut(_ flags: Int...) -> [Int] {
      var frames = filled(buddy)
      for (offset, word) in flags.enumerated() { frames[100 + offset] = word }
      return frames
    }
    let head = 1 << 15
    let tail = 1 << 16
    let huge = 1 << 17
    switch letter {
    case ".": return filled(buddy)
    case "m": return filled(lru | 1 << 12)
    case "c": return filled(lru | 1 << 3)
    case "M": return [Int](repeating: lru | 1 << 12, count: 256) + [Int](repeating: buddy, count: 256)
    case "s": return freeBut(1 << 7)
    case "t": return freeBut(1 << 26)
    case "r": return freeBut(1 << 32)
    case "k": return freeBut(head, tail, tail, tail)
    case "z": return freeBut(0)
    case "Z": return filled(0)
    case "y": return [1 << 7] + [Int](repeating: 0, count: blockFrames - 1)
    case "u": return freeBut(1 << 12 | 1 << 3)
    case "o": return freeBut(1 << 23)
    case "p": return freeBut(1 << 19)
    case "H": return [huge | head] + [Int](repeating: huge | tail, count: blockFrames - 1)
    case "G": return [huge | head] + [Int](repeating: huge | tail, count: blockFrames - 1)
    case "g": return filled(huge | tail)
    case "x": return filled(0)
    default: return filled(hole)
    }
  }
}
