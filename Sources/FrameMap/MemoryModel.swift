/// How the descriptors of all frames are laid out.
///
/// Data, not a type parameter: one binary runs every model.
@frozen public enum MemoryModel: UInt8, CaseIterable, Hashable, Sendable, CustomStringConvertible {
  /// One array from the first frame of memory to the last. Holes between have descriptors. Linux: `CONFIG_FLATMEM`.
  case flat
  /// One array for each node, over the node's span. Linux: `CONFIG_DISCONTIGMEM`.
  case discontiguous
  /// An array for each section with memory, found through one table of all sections. Linux: `CONFIG_SPARSEMEM`.
  case sparse
  /// The same, through a table in two levels. Linux: `CONFIG_SPARSEMEM_EXTREME`.
  case sparseExtreme
  /// One array over everything that could be memory, of which only parts exist. Linux: `CONFIG_SPARSEMEM_VMEMMAP`.
  case vmemmap

  /// The name as people write it: `sparse-extreme`.
  public var description: String {
    switch self {
    case .flat: "flat"
    case .discontiguous: "discontiguous"
    case .sparse: "sparse"
    case .sparseExtreme: "sparse-extreme"
    case .vmemmap: "vmemmap"
    }
  }

  /// Whether memory can come and go after the map was made.
  @inlinable public var canChange: Bool { self == .sparse || self == .sparseExtreme || self == .vmemmap }

  /// Whether each section has an array of its own.
  @inlinable var isScattered: Bool { self == .sparse || self == .sparseExtreme }

  /// Whether the table of sections has two levels.
  @inlinable var hasTwoLevels: Bool { self == .sparseExtreme || self == .vmemmap }
}
