import MemoryUnits

/// A map's two reservations, descriptors and tables, and how parts of them get and lose storage.
///
/// Places are plain addresses: this file alone turns them into pointers, and only ones inside the two reservations.
@safe struct MapStore<Storage: MemmapStorage>: Sendable {
  let storage: Storage
  let granule: UInt64
  let memmap: Reservation
  let tables: Reservation

  let leaves: UInt64
  let leafStride: UInt64
  let leafShift: UInt64
  let frameBits: UInt64
  let frameBitsShift: UInt64
  let sectionOrder: UInt64
  let slotBytes: UInt64
  let slotStride: UInt64
  let fixedTableBytes: UInt64
  let placesGuards: Bool

  struct Reservation: Sendable {
    let address: UInt64
    let size: UInt64
  }

  init(_ plan: MapPlan, _ storage: Storage, cpus: UInt64, placesGuards: Bool) throws(FrameMapError) {
    memmap = try MapStore.reserve(storage, plan.memmapSize, for: .descriptors(of: plan.describable))
    do throws(FrameMapError) {
      tables = try MapStore.reserve(storage, plan.tablesSize(cpus), for: .tables)
    } catch {
      MapStore.release(storage, memmap)
      throw error
    }
    self.storage = storage
    granule = plan.granule
    leaves = tables.address + plan.leavesOffset(cpus)
    leafStride = plan.leafStride
    leafShift = plan.leafShift
    frameBits = tables.address + plan.frameBitsOffset(cpus)
    frameBitsShift = plan.frameBitsShift
    sectionOrder = plan.layout.sectionOrder
    slotBytes = plan.slotBytes
    slotStride = plan.slotStride
    fixedTableBytes = plan.fixedTableBytes
    self.placesGuards = placesGuards
  }

  private static func reserve(_ storage: Storage, _ size: UInt64, for use: StorageUse) throws(FrameMapError) -> Reservation {
    do {
      let start = unsafe try storage.reserve(ByteCount(size), for: use)
      return Reservation(address: UInt64(UInt(bitPattern: start)), size: size)
    } catch {
      throw .storage(error)
    }
  }

  private static func release(_ storage: Storage, _ reservation: Reservation) {
    unsafe storage.release(MapStore.pointer(reservation.address), ByteCount(reservation.size))
  }

  /// Addresses come from the two reservations, and are never null.
  static func pointer(_ address: UInt64) -> UnsafeMutableRawPointer {
    unsafe UnsafeMutableRawPointer(bitPattern: UInt(address)).unsafelyUnwrapped
  }

  func releaseAll() {
    MapStore.release(storage, memmap)
    MapStore.release(storage, tables)
  }

  func commit(_ address: UInt64, _ size: UInt64, for use: StorageUse) throws(FrameMapError) {
    guard size > 0 else { return }
    do {
      unsafe try storage.commit(MapStore.pointer(address), ByteCount(size), for: use)
    } catch {
      throw .storage(error)
    }
  }

  func decommit(_ address: UInt64, _ size: UInt64) {
    unsafe storage.decommit(MapStore.pointer(address), ByteCount(size))
  }

  /// Writes zero over descriptors that share a granule with others.
  func clear(_ start: UInt64, _ end: UInt64) {
    guard start < end else { return }
    // The bytes lie in committed granules of the memmap, and no reader is left.
    unsafe MapStore.pointer(start).initializeMemory(as: UInt8.self, repeating: 0, count: Int(end - start))
  }

  func words(_ address: UInt64) -> AtomicWords { unsafe AtomicWords(MapStore.pointer(address)) }

  // MARK: Places

  func slot(_ section: UInt64) -> UInt64 { memmap.address + section * slotStride }
  func leaf(_ index: UInt64) -> UInt64 { leaves + index * leafStride }
  func frameBits(_ section: UInt64) -> UInt64 { frameBits + section << frameBitsShift }

  // MARK: Sections' storage

  func commitSlot(_ section: UInt64) throws(FrameMapError) {
    let frames = FrameRange(start: FrameNumber(section << sectionOrder), count: FrameCount(1 << sectionOrder))
    try commit(slot(section), slotBytes, for: .descriptors(of: frames))
  }
  func decommitSlot(_ section: UInt64) { decommit(slot(section), slotBytes) }

  func commitFrameBits(_ section: UInt64) throws(FrameMapError) {
    try commit(frameBits(section), 1 << frameBitsShift, for: .tables)
  }
  func decommitFrameBits(_ section: UInt64) { decommit(frameBits(section), 1 << frameBitsShift) }

  func commitLeaf(_ index: UInt64) throws(FrameMapError) { try commit(leaf(index), leafStride, for: .tables) }
  func decommitLeaf(_ index: UInt64) { decommit(leaf(index), leafStride) }

  /// Makes the gap at `address` trap, where guards are wanted, and counts it. Says whether there is one now.
  func placeGuard(_ address: UInt64, _ control: MapControl) -> Bool {
    guard placesGuards else { return false }
    let isPlaced = unsafe storage.placeGuard(MapStore.pointer(address), ByteCount(granule))
    control.add(1, to: isPlaced ? .guards : .missingGuards)
    return isPlaced
  }

  /// Undoes ``placeGuard(_:_:)``, which said `isPlaced`.
  func removeGuard(_ address: UInt64, isPlaced: Bool, _ control: MapControl) {
    guard placesGuards else { return }
    if isPlaced { unsafe storage.removeGuard(MapStore.pointer(address), ByteCount(granule)) }
    control.subtract(1, from: isPlaced ? .guards : .missingGuards)
  }

  /// The mark of a section of the scattered models whose gap was just guarded.
  func guardMark(_ section: UInt64, _ control: MapControl) -> UInt64 {
    placeGuard(slot(section) + slotBytes, control) ? SectionState.isGuarded : 0
  }
}
