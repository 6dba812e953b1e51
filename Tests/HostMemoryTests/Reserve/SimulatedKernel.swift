import Foundation
import HostMemory
import MemoryUnits
import SystemPackage
import TestSupport

/// A kernel that is a picture (``HostDrawing`` has the letters): each write changes the picture as a kernel would change its memory,
/// and the files follow. Pages are of 16 MiB, `Gggggggg`, and of 2 MiB, `H`; a block of memory is a letter.
final class SimulatedKernel: FolderControl {
  /// Zone by zone.
  private(set) var zones: [[Character]]
  private var drawing: HostDrawing
  /// Pages of 16 MiB that are in use, by node; the first ones of the picture.
  var inUse: [Int: Int] = [:]
  /// Pages of 2 MiB that are in use, on all nodes.
  var smallInUse = 0
  /// Promised pages of 2 MiB.
  var promised = 0
  /// First letters of ranges that the kernel does not make pages of until their blocks were offline.
  var stubborn: Set<Int> = []
  /// Blocks that do not go offline.
  var pinnedBlocks: Set<Int> = []
  /// Runs before the n-th write, counted from 1, takes place.
  var beforeWrite: (Int) -> Void = { _ in }
  /// Runs when it took place.
  var afterWrite: (Int) -> Void = { _ in }
  private(set) var writeCount = 0
  /// The process was killed: nothing that it does has an effect any more.
  var isDead = false
  var timePerWrite = Duration.seconds(1)
  /// What `/proc/pressure/memory` says while memory is touched.
  var pressure = 0
  private var held: [Int] = []
  /// The letter of each block whose files stand.
  private var published: [Int: Character] = [:]

  static let gigantic = PageSize(shift: PageShift(24))
  static let huge = PageSize(shift: PageShift(21))

  init(_ drawing: HostDrawing) throws {
    self.drawing = drawing
    zones = drawing.picture.split(separator: "|", omittingEmptySubsequences: false).map(Array.init)
    super.init(try TemporaryFolder())
    try publish()
  }

  var picture: String { zones.map { String($0) }.joined(separator: "|") }

  func node(_ zone: Int) -> Int { zone < drawing.nodes.count ? drawing.nodes[zone] : 0 }

  func pages(_ size: PageSize, on node: Int? = nil) -> Int {
    let letter: Character = size == Self.gigantic ? "G" : "H"
    return zones.indices.filter { node == nil || self.node($0) == node }.reduce(0) {
      $0 + zones[$1].filter { $0 == letter }.count
    }
  }

  private var nodes: [Int] { Set(zones.indices.map(node)).sorted() }

  // MARK: files

  private func publish() throws {
    drawing.picture = picture
    try drawing.write(to: folder)
    for size in [Self.gigantic, Self.huge] {
      for node in [nil] + nodes.map(Optional.some) {
        let files = HugePoolFiles(size: size, node: node.map { NodeID(UInt32($0)) })
        let total = pages(size, on: node)
        let used =
          size == Self.gigantic ? node.map { inUse[$0] ?? 0 } ?? inUse.values.reduce(0, +) : min(smallInUse, total)
        try folder.write(files.totalPath, "\(total)\n")
        try folder.write("\(files.folder)/free_hugepages", "\(total - used)\n")
        try folder.write("\(files.folder)/surplus_hugepages", "0\n")
        if node == nil { try folder.write("\(files.folder)/resv_hugepages", "\(size == Self.huge ? promised : 0)\n") }
      }
    }
    for node in nodes { try folder.write("sys/devices/system/node/node\(node)/compact", "") }
    for file in ["drop_caches", "compact_memory"] { try folder.write("proc/sys/vm/\(file)", "0\n") }
    try folder.write("proc/sys/kernel/random/boot_id", "boot-one\n")
    try folder.write("proc/pressure/memory", "some avg10=\(pressure).00 avg60=0.00 avg300=0.00 total=0\n")
    for (index, letter) in zones.joined().enumerated() where letter != " " {
      guard published[index] != letter else { continue }
      published[index] = letter
      try folder.write("sys/devices/system/memory/memory\(index)/state", letter == "x" ? "offline\n" : "online\n")
      let zone = zoneName(ofBlock: index)
      try folder.write("sys/devices/system/memory/memory\(index)/valid_zones", letter == "x" ? "Normal Movable\n" : "\(zone)\n")
    }
  }

  private func place(ofBlock index: Int) -> (zone: Int, letter: Int) {
    var rest = index
    for zone in zones.indices {
      if rest < zones[zone].count { return (zone, rest) }
      rest -= zones[zone].count
    }
    preconditionFailure("no such block")
  }

  private func zoneName(ofBlock index: Int) -> String {
    let zone = place(ofBlock: index).zone
    return zone < drawing.zoneNames.count ? drawing.zoneNames[zone] : "Normal"
  }

  /// Somebody else sets a pool.
  func interfere(_ size: PageSize, node: Int, to count: Int) throws {
    setPool(size, node: node, to: count)
    try publish()
  }

  /// Somebody uses pages of 16 MiB.
  func use(_ count: Int, on node: Int) throws {
    inUse[node] = count
    try publish()
  }

  // MARK: writes

  override func write(_ bytes: [UInt8], to path: String, limit: Duration?) throws(Errno) -> Int {
    if isDead { return bytes.count }
    writeCount += 1
    beforeWrite(writeCount)
    if isDead { return bytes.count }
    let count = try super.write(bytes, to: path, limit: limit)
    guard count == bytes.count else { return count }
    now += timePerWrite
    let value = String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    let isTaken = apply(path, value)
    // A refused write has left its text in the file.
    if !isTaken { published = [:] }
    do { try publish() } catch { throw .ioError }
    guard isTaken else { throw .resourceBusy }
    afterWrite(writeCount)
    return count
  }

  private func apply(_ path: String, _ value: String) -> Bool {
    for size in [Self.gigantic, Self.huge] {
      for node in nodes where path == HugePoolFiles(size: size, node: NodeID(UInt32(node))).totalPath {
        setPool(size, node: node, to: Int(value) ?? 0)
        return true
      }
    }
    if path == "proc/sys/vm/drop_caches" { replace(["c": ".", "s": "."], zones.indices) }
    if path.hasSuffix("/compact") {
      let node = Int(path.split(separator: "/")[4].dropFirst(4)) ?? 0
      replace(["u": "."], zones.indices.filter { self.node($0) == node })
    }
    if path.hasPrefix("sys/devices/system/memory/") { return setBlock(path, value) }
    return true
  }

  private func replace(_ letters: [Character: Character], _ indices: some Sequence<Int>) {
    for zone in indices { zones[zone] = zones[zone].map { letters[$0] ?? $0 } }
  }

  private func setBlock(_ path: String, _ value: String) -> Bool {
    let index = Int(path.split(separator: "/")[4].dropFirst(6)) ?? 0
    let (zone, letter) = place(ofBlock: index)
    if value != "offline" {
      guard zones[zone][letter] == "x" else { return false }
      zones[zone][letter] = "."
      stubborn.remove(index - index % 8)
      return true
    }
    guard !pinnedBlocks.contains(index) else { return false }
    let range = (index - index % 8)..<(index - index % 8 + 8)
    switch zones[zone][letter] {
    case ".", "c": break
    case "H" where pages(Self.huge) > smallInUse:
      // A free page of the pool goes, this one or the one that this one moves to.
      guard pages(Self.huge) - smallInUse > promised else { return false }
    case "m", "H":
      guard let target = freeLetters(node(zone), outside: range).last else { return false }
      let (other, free) = place(ofBlock: target)
      zones[other][free] = zones[zone][letter]
    case "G", "g":
      // An unused page goes with its first block that goes.
      guard pages(Self.gigantic, on: node(zone)) > inUse[node(zone)] ?? 0 else { return false }
      let start = letter - index % 8
      zones[zone].replaceSubrange(start..<(start + 8), with: repeatElement(".", count: 8))
    default: return false
    }
    zones[zone][letter] = "x"
    return true
  }

  private func setPool(_ size: PageSize, node: Int, to count: Int) {
    var count = count
    if size == Self.gigantic { count = max(count, inUse[node] ?? 0) }
    while pages(size, on: node) < count, grow(size, node) {}
    while pages(size, on: node) > count { shrink(size, node) }
  }

  private func grow(_ size: PageSize, _ node: Int) -> Bool {
    var base = zones.joined().count
    for zone in zones.indices.reversed() {
      base -= zones[zone].count
      guard self.node(zone) == node else { continue }
      if size == Self.huge {
        guard let free = zones[zone].lastIndex(of: ".") else { continue }
        zones[zone][free] = "H"
        return true
      }
      for start in stride(from: 0, to: zones[zone].count / 8 * 8, by: 8) where !stubborn.contains(base + start) {
        let window = start..<(start + 8)
        guard zones[zone][window].allSatisfy({ ".mMc".contains($0) }) else { continue }
        let moving = window.filter { zones[zone][$0] == "m" }.count
        let free = freeLetters(node, outside: (base + start)..<(base + start + 8))
        guard moving <= free.count else { continue }
        for target in free.suffix(moving) {
          let (other, letter) = place(ofBlock: target)
          zones[other][letter] = "m"
        }
        zones[zone].replaceSubrange(window, with: "Gggggggg")
        return true
      }
    }
    return false
  }

  /// Where something can move to, by block.
  private func freeLetters(_ node: Int, outside range: Range<Int>) -> [Int] {
    var base = 0
    var free: [Int] = []
    for zone in zones.indices {
      if self.node(zone) == node {
        free += zones[zone].indices.filter { zones[zone][$0] == "." }.map { base + $0 }.filter { !range.contains($0) }
      }
      base += zones[zone].count
    }
    return free
  }

  private func shrink(_ size: PageSize, _ node: Int) {
    for zone in zones.indices.reversed() where self.node(zone) == node {
      guard let head = zones[zone].lastIndex(of: size == Self.huge ? "H" : "G") else { continue }
      let length = size == Self.huge ? 1 : 8
      zones[zone].replaceSubrange(head..<(head + length), with: repeatElement(".", count: length))
      return
    }
  }

  // MARK: touching

  override func touch(_ limits: TouchLimits) throws(TouchError) -> TouchReport {
    var limits = limits
    limits.chunk = .mebibytes(2)
    let toucher = Toucher(
      of: root, limits, Pages(self), now: { [unowned self] in now }, isStopped: { [unowned self] in isInterrupted })
    defer {
      for index in held {
        let (zone, letter) = place(ofBlock: index)
        zones[zone][letter] = "."
      }
      held = []
      try? publish()
    }
    // The toucher looks at sums only.
    do { return try toucher.run() } catch { throw .ended(status: 1) }
  }

  /// Free letters first, then what was kept back.
  private final class Pages: TouchedMemory {
    private unowned let kernel: SimulatedKernel
    init(_ kernel: SimulatedKernel) { self.kernel = kernel }
    func hold(_ size: ByteCount, on node: NodeID) -> Bool { kernel.hold(node) }
  }

  private func hold(_ node: NodeID) -> Bool {
    var base = 0
    for letter in [Character("."), "Z"] {
      base = 0
      for zone in zones.indices {
        defer { base += zones[zone].count }
        guard self.node(zone) == Int(node.rawValue), let found = zones[zone].firstIndex(of: letter) else { continue }
        zones[zone][found] = "m"
        if letter == "Z" { drawing.kept[zone] -= HostDrawing.blockFrames }
        held.append(base + found)
        drawing.picture = picture
        do { try drawing.write(to: folder, frames: false) } catch { return false }
        return true
      }
    }
    return false
  }
}

/// A journal in memory; a killed process adds nothing to it.
final class MemoryJournal: ReserveJournal {
  private(set) var lines: [String]?
  var isDead: () -> Bool = { false }
  /// Fails the n-th line, counted from 1.
  var failingLine = 0

  func begin() throws(ReserveJournalError) {
    if lines != nil { throw .unfinished(path: "journal") }
    lines = []
  }

  func append(_ line: String) throws(ReserveJournalError) {
    if isDead() { return }
    if lines?.count == failingLine - 1 { throw .failed(path: "journal", code: 28) }
    lines?.append(line)
  }

  func takeOver() throws(ReserveJournalError) -> [String] {
    guard let lines else { throw .none(path: "journal") }
    return lines
  }

  func finish() throws(ReserveJournalError) {
    if !isDead() { lines = nil }
  }
}
