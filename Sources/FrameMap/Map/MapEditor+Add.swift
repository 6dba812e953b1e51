import MemoryUnits

/// Adding: first all that can fail, then what cannot.
extension MapEditor {
  /// Gets all storage that `frames` will need. Where some of it fails, gives the rest back.
  func prepare(_ frames: FrameRange) throws(FrameMapError) {
    try prepareLeaves(frames)
    do throws(FrameMapError) {
      try prepareFrameBits(frames)
    } catch {
      dropLeaves(missingLeaves(frames))
      throw error
    }
    do throws(FrameMapError) {
      try prepareDescriptors(frames)
    } catch {
      forEachPart(of: frames) { if needsFrameBits($0) { store.decommitFrameBits($0) } }
      dropLeaves(missingLeaves(frames))
      throw error
    }
  }

  /// The leaves that hold `frames`' entries, existing or not.
  private func missingLeaves(_ frames: FrameRange) -> Range<UInt64> {
    guard table.model.hasTwoLevels else { return 0..<0 }
    let sections = table.sections(of: frames)
    return sections.lowerBound >> table.leafShift..<(sections.upperBound - 1) >> table.leafShift + 1
  }

  private func prepareLeaves(_ frames: FrameRange) throws(FrameMapError) {
    let leaves = missingLeaves(frames)
    for leaf in leaves where table.sections.load(leaf) == 0 {
      do throws(FrameMapError) {
        try store.commitLeaf(leaf)
      } catch {
        dropLeaves(leaves.lowerBound..<leaf)
        throw error
      }
    }
  }

  private func dropLeaves(_ leaves: Range<UInt64>) {
    for leaf in leaves where table.sections.load(leaf) == 0 { store.decommitLeaf(leaf) }
  }

  private func prepareDescriptors(_ frames: FrameRange) throws(FrameMapError) {
    guard table.model.isScattered else {
      if let granules = table.granules(of: frames, in: store) {
        try store.commit(granules.lowerBound, UInt64(granules.count), for: .descriptors(of: frames))
      }
      return
    }
    let sections = table.sections(of: frames)
    for section in sections {
      do throws(FrameMapError) {
        try store.commitSlot(section)
      } catch {
        for done in sections.lowerBound..<section { store.decommitSlot(done) }
        throw error
      }
    }
  }

  /// Lets look-ups find `frames`.
  func publish(_ frames: FrameRange) {
    for leaf in missingLeaves(frames) where table.sections.load(leaf) == 0 {
      table.sections.store(leaf, store.leaf(leaf))
      table.control.add(1, to: .leaves)
    }
    for section in table.sections(of: frames) { publish(frames, in: section) }
    let count = frames.count.rawValue
    table.control.add(count, to: .validFrames)
    table.control.add(count, to: .describedFrames)
    table.control.add(count, to: .memoryFrames)
  }

  private func publish(_ frames: FrameRange, in section: UInt64) {
    guard let record = table.record(section) else { return }
    let old = record.load(0)
    var state = old | table.base(of: section) | SectionState.present
    if table.model.isScattered { state |= store.guardMark(section, table.control) }
    if isWhole(frames, in: section) {
      state |= SectionState.isWhole
    } else {
      if old & SectionState.hasFrameBits == 0 { table.control.add(1, to: .partialSections) }
      state |= SectionState.hasFrameBits
      table.frameBits(of: section).setBits(table.frames(of: frames, in: section))
    }
    record.store(0, state)
    // Last, so that who sees a frame valid also sees that it is memory.
    if table.model == .vmemmap { record.advanced(by: 1).setBits(table.subsections(of: frames, in: section)) }
    if old & SectionState.present == 0 {
      table.presence.insert(section)
      table.control.add(1, to: .sections)
    }
  }

  /// Sections that were memory in part and now are throughout need their frame bits no longer.
  func forgetFrameBitsOfWholeSections(_ frames: FrameRange) {
    let all = UInt64(1) << table.sectionOrder
    forEachPart(of: frames) { section in
      // Another part of the section may have been here before: then there are no bits to look at.
      guard let record = table.record(section), !needsFrameBits(section),
        table.frameBits(of: section).countBits(0..<all) == all
      else { return }
      record.store(0, record.load(0) & ~SectionState.hasFrameBits | SectionState.isWhole)
      table.readers.waitForReaders(store.storage)
      store.decommitFrameBits(section)
      table.control.subtract(1, from: .partialSections)
    }
  }
}
