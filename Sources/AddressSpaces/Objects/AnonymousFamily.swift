import FrameAllocator
import MemoryUnits

/// The spaces in which private pages of one origin may be mapped: where the mapping was made, and all that were forked from there.
///
/// Linux: `struct anon_vma`, there a tree that follows the forks, so that a child's own pages are not looked for in its parent.
final class AnonymousFamily: Sendable {
  let number: OwnerNumber
  /// Whether its mappings have no object that their pages are copies of.
  let isAnonymous: Bool
  let members: Guarded<Members>

  init(_ number: OwnerNumber, isAnonymous: Bool, pause: @escaping @Sendable () -> Void) {
    self.number = number
    self.isAnonymous = isAnonymous
    members = Guarded(Members(), pause: pause)
  }
}

/// In which spaces something is mapped, and how many mappings of a space there are.
struct Members: Sendable {
  private(set) var list: [(space: AddressSpace, mappings: MappingCount)] = []

  mutating func join(_ space: AddressSpace) {
    for place in list.indices where list[place].space === space {
      list[place].mappings += MappingCount(1)
      return
    }
    list.append((space, MappingCount(1)))
  }

  /// True where nobody is left.
  mutating func leave(_ space: AddressSpace) -> Bool {
    for place in list.indices where list[place].space === space {
      list[place].mappings -= MappingCount(1)
      if list[place].mappings == .zero { list.remove(at: place) }
      return list.isEmpty
    }
    preconditionFailure("a space left what it had not joined")
  }

  var spaces: [AddressSpace] { list.map { $0.space } }
}

/// Mappings of a space.
public struct MappingCount: Amount {
  public let rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }
  public var description: String { String(rawValue) }
}
