import FrameContents
import FrameMap
import HostArena
import MemoryUnits
import PhysicalLayout
import Testing

/// The descriptors of a machine live in its own frames.
@Suite struct ArenaStorageTests {
  static let changing = MemoryModel.allCases.filter(\.canChange)

  /// Bytes of whole granules that hold the descriptors of the model's arrays.
  static func granuleBytes(_ table: FrameTable, _ machine: ArenaMachine, _ granule: ByteCount) throws -> ByteCount {
    func whole(_ frames: FrameCount) -> ByteCount { (ByteCount(32) * frames.rawValue).aligned(to: granule, .up) }
    let layout = try machine.layout()
    let runs = table.runs(in: machine.everything).map { $0.frames }
    switch table.model {
    case .flat: return whole(runs[runs.count - 1].end - runs[0].start)
    case .discontiguous:
      return layout.nodes.reduce(.zero) { $0 + whole($1.ranges[$1.ranges.count - 1].end - $1.ranges[0].start) }
    case .sparse, .sparseExtreme: return runs.reduce(.zero) { $0 + whole($1.count) }
    case .vmemmap:
      // Runs share granules where a granule holds the descriptors of more than a subsection.
      var granules: Set<UInt64> = []
      for run in runs {
        granules.formUnion(run.start.rawValue * 32 / granule.rawValue...(run.end.rawValue * 32 - 1) / granule.rawValue)
      }
      return granule * UInt64(granules.count)
    }
  }

  static func size(_ frames: [FrameRange], _ shift: PageShift) -> ByteCount {
    ByteCount(frames.reduce(FrameCount.zero) { $0 + $1.count }, shift)
  }

  @Test(arguments: MemoryModel.allCases, ArenaMachine.all)
  func theMemmapIsInFramesOfTheMachine(model: MemoryModel, machine: ArenaMachine) throws {
    let arena = try machine.arena()
    let source = RegionFrameSource(machine.regions, baseShift: machine.shift)
    let storage = try ArenaStorage(arena, frames: source)
    #expect(storage.granule == max(.kibibytes(4), machine.shift.bytes))
    do {
      let layout = try machine.layout()
      let map = try FrameMap(layout, model: model, storage: storage)
      try map.checkInvariants()
      let account = map.account()
      #expect(account == MemmapAccount(layout, model: model, granule: storage.granule))

      let frames = storage.frames
      #expect(!frames.isEmpty)
      for (index, range) in frames.enumerated() {
        #expect(!range.isEmpty && (index == 0 || frames[index - 1].end < range.start))
        #expect(source.regions.isMemory(PhysicalRange(range, machine.shift)))
      }
      // The source's books say the same.
      #expect(frames == source.regions.reserved.map { $0.range }.joined(machine.shift))
      let taken = Self.size(frames, machine.shift)
      #expect(taken == (try Self.granuleBytes(map.table, machine, storage.granule)))
      #expect(taken >= account.memmapBytes || model == .vmemmap)
      // On x86_64 a section's and a subsection's descriptors fill whole frames.
      if machine.architecture == .x86_64, model != .flat, model != .discontiguous { #expect(taken == account.memmapBytes) }

      try expectDescriptors(of: map.table, in: frames, arena.directMap, machine)
    }
    #expect(storage.frames.isEmpty)
    #expect(source.regions == machine.regions)
    #expect(try arena.residentBytes == .zero)
  }

  /// Writes a mark through the table, and finds each once in the frames, and nowhere else in the array's stride.
  private func expectDescriptors(
    of table: FrameTable, in frames: [FrameRange], _ contents: DirectMap, _ machine: ArenaMachine
  ) throws {
    let mark: UInt64 = 0xa11a_0000_0000_0000
    var written: Set<UInt64> = []
    for run in table.runs(in: machine.everything) {
      var frame = run.frames.start
      while frame < run.frames.end {
        table.descriptor(frame)?.pointee.privateWord.store(mark | frame.rawValue, ordering: .relaxed)
        written.insert(mark | frame.rawValue)
        frame += FrameCount(61)
      }
    }
    var found: [UInt64] = []
    var lastPlace: (frame: FrameNumber, offset: Int)?
    for range in frames {
      var frame = range.start
      while frame < range.end {
        try contents.withBytes(of: frame) { bytes in
          bytes.withUnsafeBytes { bytes in
            // The private word is the second of a descriptor's four.
            for offset in stride(from: 8, to: bytes.count, by: 32) {
              let word = bytes.load(fromByteOffset: offset, as: UInt64.self)
              guard word != 0 else { continue }
              found.append(word)
              lastPlace = (frame, offset)
            }
          }
        }
        frame += FrameCount(1)
      }
    }
    #expect(found.count == written.count && Set(found) == written)

    // And the other way round.
    let place = try #require(lastPlace)
    let described = FrameNumber(found[found.count - 1] & ~mark)
    try contents.withMutableBytes(of: place.frame) { $0[place.offset] ^= 1 }
    #expect(table.descriptor(described)?.pointee.privateWord.load(ordering: .relaxed) == found[found.count - 1] ^ 1)
  }

  /// The boot allocator is asked near what is described, and gives the highest that is free there.
  @Test(arguments: MemoryModel.allCases, ArenaMachine.all)
  func theMemmapIsOnItsNode(model: MemoryModel, machine: ArenaMachine) throws {
    let source = WatchedSource(machine.regions, machine.shift)
    let storage = try ArenaStorage(try machine.arena(), frames: source)
    let map = try FrameMap(try machine.layout(), model: model, storage: storage)
    let regions = machine.regions
    var nodes: Set<NodeID?> = []
    for request in source.requests {
      let described = PhysicalRange(request.described, machine.shift)
      let node = regions.memory.first { $0.range.overlaps(described) }?.node
      nodes.insert(node)
      #expect(request.given.count == 1)
      for range in request.given { #expect(regions.node(at: range.start) == node) }
    }
    #expect(nodes.count == (model == .flat ? 1 : 2))
    #expect(storage.frames.last?.end == top(machine) || model == .flat)
    let frames = map.memoryFrames
    #expect(frames > .zero)
  }

  private func top(_ machine: ArenaMachine) -> FrameNumber {
    let end = machine.memory[machine.memory.count - 1].range.end
    return FrameNumber(end, machine.shift, rounded: .down)
  }

  /// No two free granules touch, so that each takes a mapping of its own; a memmap is contiguous all the same.
  @Test(arguments: MemoryModel.allCases) func aMemmapOfManyPieces(model: MemoryModel) throws {
    let machine = ArenaMachine.x86
    let arena = try machine.arena()
    let regions = machine.fragmented(.kibibytes(4), 1024)
    let source = RegionFrameSource(regions, baseShift: machine.shift)
    let storage = try ArenaStorage(arena, frames: source)
    do {
      let map = try FrameMap(try machine.layout(), model: model, storage: storage)
      #expect(storage.frames.allSatisfy { $0.count == FrameCount(1) })
      try map.checkInvariants()
      try expectDescriptors(of: map.table, in: storage.frames, arena.directMap, machine)
      guard model == .vmemmap else { return }
      // Removing what others' commits brought cuts through pieces.
      let frames = storage.frames
      try map.remove(machine.frames(physical(8 << 20, 30 << 20)))
      #expect(storage.frames.count < frames.count)
      try map.add(machine.frames(physical(8 << 20, 30 << 20)))
      #expect(storage.frames.count == frames.count)
      try map.checkInvariants()
    }
    #expect(source.regions == regions)
  }

  @Test(arguments: changing, ArenaMachine.all)
  func sectionsComeAndGo(model: MemoryModel, machine: ArenaMachine) throws {
    let arena = try machine.arena()
    let source = RegionFrameSource(machine.regions, baseShift: machine.shift)
    let storage = try ArenaStorage(arena, frames: source)
    let map = try FrameMap(try machine.layout(), model: model, storage: storage)
    var places = [machine.addition]
    if model == .vmemmap { places.append(machine.subsection) }
    for place in places {
      let before = (map.account(), storage.frames, source.regions, try arena.residentBytes)
      for _ in 0..<3 {
        try arena.add(place)
        let range = machine.frames(place)
        try map.add(range)
        map.forEachRun(in: range) { run in
          run.forEach { descriptor in
            if descriptor.pointee.privateWord.exchange(.max, ordering: .relaxed) != 0 { Issue.record("not as new") }
          }
        }
        let taken = Self.size(storage.frames, machine.shift)
        #expect(taken == (try Self.granuleBytes(map.table, machine, storage.granule)))
        try map.checkInvariants()
        try map.remove(range)
        try arena.remove(place)
        try map.checkInvariants()
        let account = map.account()
        #expect(account.memmapBytes == before.0.memmapBytes && account.sections == before.0.sections)
        #expect(storage.frames == before.1)
        #expect(source.regions == before.2)
        // What shares a granule was cleared by writing.
        #expect(try arena.residentBytes <= before.3 + storage.granule * 2)
      }
    }
  }

  /// Frames that held something else before are as new.
  @Test(arguments: MemoryModel.allCases, ArenaMachine.all)
  func dirtyFramesAreCleared(model: MemoryModel, machine: ArenaMachine) throws {
    let arena = try machine.arena()
    let layout = try machine.layout()
    func storage() throws -> ArenaStorage {
      try ArenaStorage(arena, frames: RegionFrameSource(machine.regions, baseShift: machine.shift))
    }
    // The boot allocator gives the same frames each time.
    let first = try storage()
    let frames: [FrameRange]
    do {
      let map = try FrameMap(layout, model: model, storage: first)
      frames = first.frames
      map.forEachRun(in: machine.everything) { run in run.forEach { _ = $0.pointee.flags } }
    }
    for range in frames {
      for frame in range.start.rawValue..<range.end.rawValue { try arena.directMap.fill(frame, 0xff) }
    }
    let second = try storage()
    let map = try FrameMap(layout, model: model, storage: second)
    #expect(second.frames == frames)
    var dirty = 0
    map.forEachRun(in: machine.everything) { run in
      run.forEach { descriptor in
        if descriptor.pointee.counts != .zero || descriptor.pointee.privateWord.load(ordering: .relaxed) != 0 { dirty += 1 }
      }
    }
    #expect(dirty == 0)
  }

  /// Memory that is added brings the frames of its own memmap, its first ones.
  @Test(arguments: changing, ArenaMachine.all)
  func memoryDescribesItself(model: MemoryModel, machine: ArenaMachine) throws {
    let arena = try machine.arena()
    let boot = RegionFrameSource(machine.regions, baseShift: machine.shift)
    let storage = try ArenaStorage(arena, frames: boot)
    let map = try FrameMap(try machine.layout(), model: model, storage: storage)
    let before = storage.frames

    var regions = RegionSet()
    regions.add(machine.addition)
    let size = ByteCount(32) * machine.frames(machine.addition).count.rawValue
    // Enough for whole granules of each section; what is above stays out of it.
    let share = max(size, storage.granule * 4).aligned(to: storage.granule, .up)
    regions.reserve(PhysicalRange(start: machine.addition.start + share, end: machine.addition.end))
    let own = RegionFrameSource(regions, baseShift: machine.shift)
    storage.setSource(own)
    try arena.add(machine.addition)
    let range = machine.frames(machine.addition)
    try map.add(range)
    let added = storage.frames.filter { !before.contains($0) }
    #expect(added.allSatisfy { range.contains($0) })
    #expect(Self.size(added, machine.shift) >= size)
    map.forEachRun(in: range) { run in run.forEach { $0.pointee.unfreeze(.references(1)) } }

    // The descriptors go last, and their frames with them.
    try map.remove(range)
    #expect(storage.frames == before)
    #expect(own.regions == regions)
    try arena.remove(machine.addition)
    storage.setSource(boot)
    try map.checkInvariants()
  }

  @Test func anonymousMemoryHoldsNoMemmap() throws {
    let arena = try Arena([physical(0, 1 << 20)], kind: .anonymous, baseShift: PageShift(12))
    #expect(throws: ArenaError.cannotHoldMemmap(.anonymous)) {
      _ = try ArenaStorage(arena, frames: RegionFrameSource(RegionSet(), baseShift: PageShift(12)))
    }
  }
}

extension [PhysicalRange] {
  /// As frames, joined where they touch. They ascend.
  func joined(_ shift: PageShift) -> [FrameRange] {
    var joined: [FrameRange] = []
    for range in self.map({ FrameRange($0, shift, rounded: .down) }) {
      if let last = joined.last, last.end == range.start {
        joined[joined.count - 1] = FrameRange(start: last.start, end: range.end)
      } else {
        joined.append(range)
      }
    }
    return joined
  }
}
