import MemoryUnits

extension FrameMap {
  /// Adds memory: every frame of `frames` gets a descriptor of all zero and is memory from then on.
  ///
  /// All or nothing: where storage fails half-way, everything is as before. Look-ups go on meanwhile and see each section
  /// either not at all or complete.
  ///
  /// - Parameter frames: whole sections; whole subsections in the virtual model, where completing a section waits for
  ///   readers: not to be called inside a read section.
  /// - Complexity: O(sections).
  /// - Throws: ``FrameMapError``.
  /// Linux: `sparse_add_section`, `vmemmap_populate`.
  public borrowing func add(_ frames: FrameRange) throws(FrameMapError) {
    try requireWholeUnits(frames)
    let editor = MapEditor(table: table, store: store)
    try table.control.changing(store.storage) { () throws(FrameMapError) in
      if let run = editor.table.firstRun(in: frames) { throw .alreadyPresent(run.frames.start) }
      try editor.prepare(frames)
      editor.publish(frames)
      editor.forgetFrameBitsOfWholeSections(frames)
    }
  }

  /// Removes memory and its descriptors. Returns after every read section that could still see them has ended; only then
  /// is their storage given back. That nobody uses the frames is the caller's to know.
  ///
  /// All or nothing, as with ``add(_:)``.
  ///
  /// - Parameter frames: whole sections, all present; in the virtual model whole subsections, all present.
  /// - Complexity: O(sections), and the wait.
  /// - Throws: ``FrameMapError``.
  /// Linux: `sparse_remove_section`, `synchronize_rcu`.
  public borrowing func remove(_ frames: FrameRange) throws(FrameMapError) { try remove([frames]) }

  /// The same for several ranges, lowest first and apart from each other: all or none, and one wait for readers. The storage of
  /// the lowest range is given back last, so that it may hold the others' descriptors.
  public borrowing func remove(_ ranges: [FrameRange]) throws(FrameMapError) {
    for frames in ranges { try requireWholeUnits(frames) }
    let editor = MapEditor(table: table, store: store)
    try table.control.changing(store.storage) { () throws(FrameMapError) in
      for frames in ranges { try editor.requirePresence(frames) }
      for (done, frames) in ranges.enumerated() {
        do throws(FrameMapError) {
          try editor.prepareRemoval(frames)
        } catch {
          for prepared in ranges[..<done] { editor.forgetFrameBitsOfWholeSections(prepared) }
          throw error
        }
      }
      for frames in ranges { editor.unpublish(frames) }
      editor.table.readers.waitForReaders(editor.store.storage)
      for frames in ranges.reversed() { editor.discard(frames) }
    }
  }

  private func requireWholeUnits(_ frames: FrameRange) throws(FrameMapError) {
    guard model.canChange else { throw .modelIsFixed(model) }
    let unit = FrameCount(1 << (model == .vmemmap ? table.subsectionOrder : table.sectionOrder))
    guard !frames.isEmpty, frames.start.isAligned(to: unit), frames.end.isAligned(to: unit) else {
      throw .misaligned(frames, unit: unit)
    }
    guard frames.end.rawValue <= table.frameCount else { throw .beyondLimit(FrameNumber(table.frameCount)) }
  }
}
