import MemoryUnits

/// Fills a map that nobody sees yet.
struct MapBuilder<Storage: MemmapStorage> {
  let plan: MapPlan
  let store: MapStore<Storage>
  let table: FrameTable

  init(_ plan: MapPlan, _ store: MapStore<Storage>, cpus: UInt64) {
    self.plan = plan
    self.store = store
    let layout = plan.layout
    let tables = store.tables.address
    let memmap = store.memmap.address
    // Arrays shorter than their granules end with them, so that the gap begins right behind the last descriptor.
    let slotPad = plan.slotBytes - layout.sectionFrames.rawValue * MapPlan.descriptorBytes
    let isFlat = plan.model == .flat
    table = FrameTable(
      model: plan.model, firstFrame: isFlat ? plan.span.start.rawValue : 0,
      frameCount: isFlat ? plan.span.count.rawValue : plan.model.canChange ? layout.limit.rawValue : plan.span.end.rawValue,
      origin: isFlat
        ? memmap &- plan.span.start.rawValue &* MapPlan.descriptorBytes : memmap + (plan.model.isScattered ? slotPad : 0),
      sectionOrder: layout.sectionOrder, subsectionOrder: layout.subsectionOrder, recordShift: plan.recordShift,
      leafShift: plan.leafShift, sections: store.words(tables),
      presence: PresenceBits(store.words(tables + plan.presenceOffset), count: plan.sectionCount),
      pieces: PieceTable(
        pieces: store.words(tables + plan.piecesOffset), pieceCount: UInt64(plan.pieces.count),
        nodes: store.words(tables + plan.nodesOffset),
        nodeCount: plan.model == .discontiguous ? UInt64(layout.nodes.count) : 0),
      slots: SlotGeometry(stride: plan.slotStride, granule: plan.granule),
      readers: ReadCounters(
        store.words(tables + plan.controlOffset + MapControl.bytes), count: cpus,
        fences: !store.storage.barrierReachesReaders),
      frameBits: store.words(store.frameBits), frameBitsShift: plan.frameBitsShift,
      control: MapControl(store.words(tables + plan.controlOffset)))
  }

  func build() throws(FrameMapError) {
    // Everything before the leaves is used from the start.
    try store.commit(store.tables.address, store.leaves - store.tables.address, for: .tables)
    let memory = plan.layout.memory
    switch plan.model {
    case .flat: try buildFlat()
    case .discontiguous: try buildNodes()
    case .sparse, .sparseExtreme: try buildSections(memory.joined(alignedTo: plan.layout.sectionFrames))
    case .vmemmap: try buildSubsections(plan.layout.ownedUnits(of: plan.layout.subsectionFrames))
    }
    try markMemory(memory)
  }

  private func buildFlat() throws(FrameMapError) {
    try store.commit(store.memmap.address, store.memmap.size, for: .descriptors(of: plan.span))
    table.control.add(plan.span.count.rawValue, to: .validFrames)
    table.control.add(plan.span.count.rawValue, to: .describedFrames)
  }

  private func buildNodes() throws(FrameMapError) {
    var address = store.memmap.address
    var index: UInt64 = 0
    for node in plan.layout.nodes {
      guard let span = node.span else { continue }
      let size = plan.nodeBytes(node)
      try store.commit(address, size, for: .descriptors(of: span))
      _ = store.placeGuard(address + size, table.control)
      // As with slots, the array ends where the guard begins.
      let first = address + size - span.count.rawValue * MapPlan.descriptorBytes
      table.pieces.setNode(index, address: first, base: first &- span.start.rawValue &* MapPlan.descriptorBytes)
      table.control.add(span.count.rawValue, to: .describedFrames)
      address += size + plan.granule
      index += 1
    }
    for (index, piece) in plan.pieces.enumerated() {
      let base = table.pieces.nodes.load(UInt64(piece.owner) * PieceTable.nodeWords + 1)
      table.pieces.setPiece(UInt64(index), piece.range, base: base)
      table.control.add(piece.range.count.rawValue, to: .validFrames)
    }
  }

  private func buildSections(_ ranges: [FrameRange]) throws(FrameMapError) {
    for range in ranges {
      for section in table.sections(of: range) {
        try makeLeaf(of: section)
        try store.commitSlot(section)
        let state = table.base(of: section) | SectionState.present | store.guardMark(section, table.control)
        table.record(section)?.store(0, state)
        table.presence.insert(section)
      }
      let frames = range.count.rawValue
      table.control.add(frames >> table.sectionOrder, to: .sections)
      table.control.add(frames, to: .validFrames)
      table.control.add(frames, to: .describedFrames)
    }
  }

  private func buildSubsections(_ ranges: [FrameRange]) throws(FrameMapError) {
    for range in ranges {
      if let granules = table.granules(of: range, in: store) {
        try store.commit(granules.lowerBound, UInt64(granules.count), for: .descriptors(of: range))
      }
      for section in table.sections(of: range) {
        try makeLeaf(of: section)
        guard let record = table.record(section) else { continue }
        if record.load(0) == 0 {
          record.store(0, table.base(of: section) | SectionState.present)
          table.presence.insert(section)
          table.control.add(1, to: .sections)
        }
        record.advanced(by: 1).setBits(table.subsections(of: range, in: section))
      }
      table.control.add(range.count.rawValue, to: .validFrames)
      table.control.add(range.count.rawValue, to: .describedFrames)
    }
  }

  private func makeLeaf(of section: UInt64) throws(FrameMapError) {
    let leaf = section >> table.leafShift
    guard table.model.hasTwoLevels, table.sections.load(leaf) == 0 else { return }
    try store.commitLeaf(leaf)
    table.sections.store(leaf, store.leaf(leaf))
    table.control.add(1, to: .leaves)
  }

  /// Tells memory from holes: by one mark where a section is memory throughout, else frame by frame.
  private func markMemory(_ memory: [FrameRange]) throws(FrameMapError) {
    for range in memory {
      for section in table.sections(of: range) {
        guard let record = table.record(section) else { continue }
        let frames = table.frames(of: range, in: section)
        let state = record.load(0)
        if UInt64(frames.count) == 1 << table.sectionOrder {
          record.store(0, state | SectionState.isWhole)
          continue
        }
        if state & SectionState.hasFrameBits == 0 {
          try store.commitFrameBits(section)
          record.store(0, state | SectionState.hasFrameBits)
          table.control.add(1, to: .partialSections)
        }
        table.frameBits(of: section).setBits(frames)
      }
      table.control.add(range.count.rawValue, to: .memoryFrames)
    }
  }
}
