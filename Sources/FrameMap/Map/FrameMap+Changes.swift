import MemoryUnits

extension FrameMap {
  /// Adds memory: every frame of `frames` gets a descriptor of all zero and is memory from then on.
  ///
  /// All or nothing: where storage fails half-way, everything is as before. Look-ups go on meanwhile and see each section
  /// either not at all or complete.
  ///
  /// - Parameter frames: whole sections; whole subsections in the virtual model, where completing a section waits for
  ///   readers: not to be called inside a read section.
  /// - Parameter staysRemovable: whether ``remove(_:)`` of the same frames is to find all that it needs, until ``settle(_:)``.
  /// - Complexity: O(sections).
  /// - Throws: ``FrameMapError``.
  /// Linux: `sparse_add_section`, `vmemmap_populate`.
  public borrowing func add(_ frames: FrameRange, staysRemovable: Bool = false) throws(FrameMapError) {
    try requireWholeUnits(frames)
    let editor = MapEditor(table: table, store: store)
    try table.control.changing(store.storage) { () throws(FrameMapError) in
      if let run = editor.table.firstRun(in: frames) { throw .alreadyPresent(run.frames.start) }
      try editor.prepare(frames)
      editor.publish(frames)
      if !staysRemovable { editor.forgetFrameBitsOfWholeSections(frames) }
    }
  }

  /// Gets all that ``remove(_:)-([FrameRange])`` of the same ranges may need, so that it cannot fail: for who has something to do first
  /// that is hard to undo. All or nothing; look-ups see no difference.
  ///
  /// - Complexity: O(ranges).
  /// - Throws: ``FrameMapError``. To be ended by the removal, or by ``settle(_:)``.
  public borrowing func makeRemovable(_ ranges: [FrameRange]) throws(FrameMapError) {
    for frames in ranges { try requireWholeUnits(frames) }
    let editor = MapEditor(table: table, store: store)
    try table.control.changing(store.storage) { () throws(FrameMapError) in try editor.prepareRemoval(ranges) }
  }

  /// Gives back what memory kept for a removal that does not come. Where nothing was kept it does nothing.
  ///
  /// Waits for readers: not to be called inside a read section.
  ///
  /// - Parameter ranges: as they were added, or made removable.
  /// - Complexity: O(ranges), and the wait.
  public borrowing func settle(_ ranges: [FrameRange]) {
    let editor = MapEditor(table: table, store: store)
    table.control.changing(store.storage) { for frames in ranges { editor.forgetFrameBitsOfWholeSections(frames) } }
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
      try editor.prepareRemoval(ranges)
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
