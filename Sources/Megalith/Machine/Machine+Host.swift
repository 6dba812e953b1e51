public import HostArena
public import MemoryUnits
public import FrameMap
public import PhysicalLayout

extension Machine where Storage == HostStorage {
  /// Boots a machine whose books this process lends memory for; metadata only.
  public init(
    _ layout: BootLayout, model: MemoryModel, policy: MachinePolicy = MachinePolicy(),
    commandLine: KernelCommandLine = KernelCommandLine(), reserved: [FrameRange] = []
  ) throws(MachineError) {
    try self.init(
      layout, model: model, policy: policy, commandLine: commandLine, reserved: reserved, storage: HostStorage())
  }
}

extension Machine where Storage == ArenaStorage {
  /// Boots a machine with contents: real memory stands behind its frames, and its descriptors live in frames of its own, which
  /// are reserved.
  ///
  /// - Parameters:
  ///   - arena: memory for at least the layout's, and all that may come later; of kind `memfd`.
  public init(
    _ layout: BootLayout, model: MemoryModel, policy: MachinePolicy = MachinePolicy(),
    commandLine: KernelCommandLine = KernelCommandLine(), reserved: [FrameRange] = [], arena: Arena
  ) throws(MachineError) {
    let shift = layout.architecture.baseShift
    var regions = layout.regions
    for range in reserved { regions.reserve(PhysicalRange(range, shift)) }
    let storage: ArenaStorage
    do {
      storage = try ArenaStorage(arena, frames: RegionFrameSource(regions, baseShift: shift))
    } catch {
      throw .arena(error)
    }
    let lent = LentFrames(shift)
    try self.init(
      layout, model: model, policy: policy, commandLine: commandLine, reserved: reserved, storage: storage,
      contents: arena.directMap, memmap: { storage.frames }, lender: lent)
    // What the boot allocator did not give is the zones' from now on.
    storage.setSource(lent)
  }
}
