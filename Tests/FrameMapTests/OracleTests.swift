import FrameMap
import HostArena
import MemoryUnits
import PhysicalLayout
import TestSupport
import Testing

/// What a map must say, frame by frame, kept in plain arrays.
struct FrameOracle {
  let model: MemoryModel
  let section: Int
  let subsection: Int
  /// By frame: the node whose memory it is.
  var owner: [UInt32?]
  /// Frames that became valid or invalid after the map was made; sparse models only.
  private(set) var isValid: [Bool]
  let nodeOfFrame: [UInt32?]

  init(_ owner: [UInt32?], _ model: MemoryModel, section: Int, subsection: Int) {
    self.owner = owner
    self.model = model
    self.section = section
    self.subsection = subsection
    let count = owner.count
    func span(_ isInside: (UInt32) -> Bool) -> Range<Int> {
      let places = owner.indices.filter { owner[$0].map(isInside) == true }
      return places.isEmpty ? 0..<0 : places[0]..<places[places.count - 1] + 1
    }
    func units(_ size: Int) -> [Bool] {
      (0..<count).map { frame in
        let start = frame / size * size
        return owner[start..<min(start + size, count)].contains { $0 != nil }
      }
    }
    var nodes: [UInt32?] = Array(repeating: nil, count: count)
    switch model {
    case .flat:
      let whole = span { _ in true }
      isValid = (0..<count).map(whole.contains)
    case .discontiguous:
      let all = Set(owner.compactMap { $0 }).sorted()
      let spans = all.map { node in span { $0 == node } }
      nodes = (0..<count).map { frame in
        owner[frame] ?? zip(all, spans).first { $0.1.contains(frame) }?.0
      }
      isValid = nodes.map { $0 != nil }
    case .sparse, .sparseExtreme: isValid = units(section)
    case .vmemmap: isValid = units(subsection)
    }
    nodeOfFrame = nodes
  }

  var unit: Int { model == .vmemmap ? subsection : section }

  mutating func add(_ frames: Range<Int>) {
    for frame in frames {
      owner[frame] = 0
      isValid[frame] = true
    }
  }

  mutating func remove(_ frames: Range<Int>) {
    for frame in frames {
      owner[frame] = nil
      isValid[frame] = false
    }
  }

  /// Whether a run goes on from the frame before.
  func continues(at frame: Int) -> Bool {
    guard frame > 0, isValid[frame], isValid[frame - 1] else { return false }
    switch model {
    case .flat, .vmemmap: return true
    case .discontiguous: return nodeOfFrame[frame] == nodeOfFrame[frame - 1]
    case .sparse, .sparseExtreme: return frame % section != 0
    }
  }

  func check(_ table: FrameTable, line: SourceLocation = #_sourceLocation) {
    var problems: [String] = []
    var seen: Set<DescriptorPointer> = []
    for frame in owner.indices {
      let number = FrameNumber(UInt64(frame))
      let descriptor = table.descriptor(number)
      if table.isValid(number) != isValid[frame] { problems.append("valid \(frame)") }
      if (descriptor != nil) != isValid[frame] { problems.append("descriptor \(frame)") }
      if table.isMemory(number) != (owner[frame] != nil) { problems.append("memory \(frame)") }
      guard let descriptor else { continue }
      if table.frame(of: descriptor) != number { problems.append("round trip \(frame)") }
      if !seen.insert(descriptor).inserted { problems.append("shared \(frame)") }
      // Written, so that a descriptor that is not there, or another frame's, shows.
      descriptor.pointee.privateWord.store(number.rawValue, ordering: .relaxed)
    }
    var place = 0
    for run in table.runs(in: FrameRange(start: .zero, end: FrameNumber(UInt64(owner.count)))) {
      let start = Int(run.frames.start.rawValue)
      let end = Int(run.frames.end.rawValue)
      if isValid[place..<start].contains(true) { problems.append("runs miss frames below \(start)") }
      if continues(at: start) { problems.append("a run is cut at \(start)") }
      var frame = start
      run.forEach { descriptor in
        if !isValid[frame] || frame > start && !continues(at: frame) { problems.append("run over a border at \(frame)") }
        if descriptor.pointee.privateWord.load(ordering: .relaxed) != UInt64(frame) { problems.append("run at \(frame)") }
        frame += 1
      }
      if frame != end { problems.append("run has \(frame - start) of \(end - start)") }
      place = end
    }
    if isValid[place...].contains(true) { problems.append("runs miss frames above \(place)") }
    #expect(problems.isEmpty, "\(problems.prefix(5))", sourceLocation: line)
  }
}

@Suite struct OracleTests {
  /// A layout with holes anywhere on a frame border, of up to three nodes that may interleave.
  private static func draw(_ random: inout SplitMix, section: Int) -> [UInt32?] {
    let count = section * Int.random(in: 3...24, using: &random)
    var owner: [UInt32?] = Array(repeating: nil, count: count)
    for _ in 0..<Int.random(in: 1...12, using: &random) {
      let start = Int.random(in: 0..<count, using: &random)
      let isAligned = Bool.random(using: &random)
      let low = isAligned ? start / 16 * 16 : start
      let size = Int.random(in: 1...section * 3, using: &random)
      let node: UInt32? = Bool.random(using: &random) || Bool.random(using: &random) ? .random(in: 0...2, using: &random) : nil
      for frame in low..<min(count, low + (isAligned ? (size + 15) / 16 * 16 : size)) { owner[frame] = node }
    }
    if owner.allSatisfy({ $0 == nil }) { owner[count / 2] = 1 }
    return owner
  }

  private static func layout(_ owner: [UInt32?], section: Int, subsection: Int) throws -> FrameMapLayout {
    var ranges: [UInt32: [FrameRange]] = [:]
    var start = 0
    for frame in 1...owner.count where frame == owner.count || owner[frame] != owner[start] {
      if let node = owner[start] {
        ranges[node, default: []].append(FrameRange(start: FrameNumber(UInt64(start)), end: FrameNumber(UInt64(frame))))
      }
      start = frame
    }
    return try FrameMapLayout(
      sectionFrames: FrameCount(UInt64(section)), subsectionFrames: FrameCount(UInt64(subsection)),
      nodes: ranges.map { NodeMemory(NodeID($0.key), $0.value) }, limit: FrameNumber(UInt64(owner.count)))
  }

  // S3.6
  @Test(arguments: MemoryModel.allCases, 0..<40 as Range<UInt64>)
  func randomHolesAreExact(model: MemoryModel, seed: UInt64) throws {
    var random = SplitMix(seed: seed)
    let section = [64, 128, 512][Int.random(in: 0..<3, using: &random)]
    let subsection = [4, 16, 64][Int.random(in: 0..<3, using: &random)]
    let owner = Self.draw(&random, section: section)
    let layout = try Self.layout(owner, section: section, subsection: subsection)
    var oracle = FrameOracle(owner, model, section: section, subsection: subsection)
    let storage = FailingStorage()
    try check(layout, &oracle, storage, &random)
    #expect(storage.state.violations.isEmpty)
    #expect(storage.state.reserved.isEmpty && storage.state.committed.isEmpty)
  }

  private func check(
    _ layout: FrameMapLayout, _ oracle: inout FrameOracle, _ storage: FailingStorage, _ random: inout SplitMix
  ) throws {
    let map = try FrameMap(layout, model: oracle.model, storage: storage, guards: .always)
    oracle.check(map.table)
    try map.checkInvariants()
    let account = map.account()
    #expect(account == MemmapAccount(layout, model: oracle.model))
    guard oracle.model.canChange else { return }
    for _ in 0..<24 {
      let units = oracle.owner.count / oracle.unit
      let low = Int.random(in: 0..<units, using: &random)
      let high = min(units, low + Int.random(in: 1...6, using: &random))
      let frames = low * oracle.unit..<high * oracle.unit
      let range = FrameRange(start: FrameNumber(UInt64(frames.lowerBound)), end: FrameNumber(UInt64(frames.upperBound)))
      if Bool.random(using: &random) {
        let isFree = !oracle.isValid[frames].contains(true)
        let isDone = (try? map.add(range)) != nil
        #expect(isDone == isFree)
        if isDone {
          oracle.add(frames)
          for frame in frames {
            let word = map.descriptor(FrameNumber(UInt64(frame)))?.pointee.privateWord.load(ordering: .relaxed)
            #expect(word == 0)
          }
        }
      } else {
        let isThere = !oracle.isValid[frames].contains(false)
        let isDone = (try? map.remove(range)) != nil
        #expect(isDone == isThere)
        if isDone { oracle.remove(frames) }
      }
      oracle.check(map.table)
      try map.checkInvariants()
    }
  }

  @Test(arguments: MemoryModel.allCases) func aPlainBufferServesAsWell(model: MemoryModel) throws {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 8)
    buffer.initializeMemory(as: UInt8.self, repeating: 0xa5)
    defer { buffer.deallocate() }
    let owner: [UInt32?] = (0..<1024).map { $0 % 200 < 150 ? UInt32($0 / 512) : nil }
    let layout = try Self.layout(owner, section: 128, subsection: 16)
    for _ in 0..<2 {
      let storage = BufferStorage(buffer)
      let map = try FrameMap(layout, model: model, storage: storage)
      FrameOracle(owner, model, section: 128, subsection: 16).check(map.table)
      try map.checkInvariants()
    }
    #expect(throws: FrameMapError.self) {
      _ = try FrameMap(layout, model: model, storage: BufferStorage(UnsafeMutableRawBufferPointer(rebasing: buffer[..<4096])))
    }
  }
}
