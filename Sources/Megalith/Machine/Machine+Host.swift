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
