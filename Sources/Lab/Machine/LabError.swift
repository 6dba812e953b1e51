public import Megalith
public import MemoryUnits
public import PhysicalLayout

/// Why a scenario has no machine.
public enum LabError: Error, Hashable, Sendable {
  case memory(PhysicalMemory.Problem)
  case firmware(FirmwareMapError)
  case holes(HoleError)
  case layout(BootLayoutError)
  case machine(MachineError)
  /// No room for the kernel's own image.
  case noRoomForKernel(wanted: ByteCount)
  /// The capture cannot be read, in words.
  case capture(path: String, reason: String)
  /// Contiguous areas of the command line for which no free range is left.
  case noRoomForArea(wanted: ByteCount, node: NodeID)
}
