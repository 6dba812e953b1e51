import MemoryUnits

/// Removing: hide, wait, give back.
extension MapEditor {
  private func requirePresence(_ frames: FrameRange) throws(FrameMapError) {
    var place = frames.start
    while place < frames.end {
      let run = table.firstRun(in: FrameRange(start: place, end: frames.end))
      guard let run, run.frames.start == place else { throw .notPresent(place) }
      place = run.frames.end
    }
  }

  /// Makes sure of all that can fail when `ranges` go. All or nothing.
  func prepareRemoval(_ ranges: [FrameRange]) throws(FrameMapError) {
    for frames in ranges { try requirePresence(frames) }
    for (done, frames) in ranges.enumerated() {
      do throws(FrameMapError) {
        try prepareRemoval(frames)
      } catch {
        for prepared in ranges[..<done] { forgetFrameBitsOfWholeSections(prepared) }
        throw error
      }
    }
  }

  /// Gives sections that are memory throughout, and will be in part, their frame bits. Nothing else can fail.
  private func prepareRemoval(_ frames: FrameRange) throws(FrameMapError) {
    try prepareFrameBits(frames)
    forEachPart(of: frames) { section in
      guard needsFrameBits(section), let record = table.record(section) else { return }
      table.frameBits(of: section).setBits(0..<1 << table.sectionOrder)
      record.store(0, record.load(0) & ~SectionState.isWhole | SectionState.hasFrameBits)
      table.control.add(1, to: .partialSections)
    }
  }

  /// Hides `frames` from look-ups that begin from now on.
  func unpublish(_ frames: FrameRange) {
    for section in table.sections(of: frames) { unpublish(frames, in: section) }
    table.control.subtract(frames.count.rawValue, from: .validFrames)
    table.control.subtract(frames.count.rawValue, from: .describedFrames)
  }

  private func unpublish(_ frames: FrameRange, in section: UInt64) {
    guard let record = table.record(section) else { return }
    let state = record.load(0)
    let part = table.frames(of: frames, in: section)
    var isGone = true
    if table.model == .vmemmap {
      let valid = record.advanced(by: 1)
      valid.clearBits(table.subsections(of: frames, in: section))
      isGone = valid.countBits(0..<1 << (table.sectionOrder - table.subsectionOrder)) == 0
    }
    var memory = UInt64(part.count)
    if state & SectionState.hasFrameBits != 0 {
      let bits = table.frameBits(of: section)
      memory = bits.countBits(part)
      bits.clearBits(part)
    }
    table.control.subtract(memory, from: .memoryFrames)
    guard isGone else { return }
    // Frame bits stay until no reader is left that could look into them.
    record.store(0, state & (SectionState.hasFrameBits | SectionState.isGuarded))
    table.presence.remove(section)
    table.control.subtract(1, from: .sections)
  }

  /// Gives back the storage of `frames`, which nobody can reach any longer.
  func discard(_ frames: FrameRange) {
    for section in table.sections(of: frames) {
      guard let record = table.record(section) else { continue }
      let state = record.load(0)
      guard state & SectionState.present == 0 else { continue }
      record.store(0, 0)
      if table.model.isScattered {
        store.decommitSlot(section)
        let isGuarded = state & SectionState.isGuarded != 0
        store.removeGuard(store.slot(section) + store.slotBytes, isPlaced: isGuarded, table.control)
      }
      guard state & SectionState.hasFrameBits != 0 else { continue }
      store.decommitFrameBits(section)
      table.control.subtract(1, from: .partialSections)
    }
    if table.model == .vmemmap { discardDescriptors(frames) }
  }

  /// Storage is given back in granules; descriptors that share one with others are cleared instead.
  private func discardDescriptors(_ frames: FrameRange) {
    let start = store.memmap.address + frames.start.rawValue << FrameDescriptor.shift
    let end = store.memmap.address + frames.end.rawValue << FrameDescriptor.shift
    guard let granules = table.granules(of: frames, in: store) else { return store.clear(start, end) }
    store.decommit(granules.lowerBound, UInt64(granules.count))
    store.clear(start, min(end, granules.lowerBound))
    store.clear(max(start, granules.upperBound), end)
  }
}
