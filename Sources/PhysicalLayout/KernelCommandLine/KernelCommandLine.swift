import MemoryUnits

/// What a kernel command line says about memory.
///
/// Parameters that are not about memory are ignored. A memory key that cannot be read is recorded under ``problems``
/// and has no effect, as in the kernel, which warns and goes on.
///
/// Linux: `parse_args`, `early_param`, `__setup`.
public struct KernelCommandLine: Hashable, Sendable {
  /// All parameters of the kernel, in order; what follows ` -- ` belongs to the first process and is not here.
  public let parameters: [CommandLineParameter]

  /// Changes of the firmware map, in order. Linux: `mem=`, `memmap=`.
  public internal(set) var mapDirectives: [MapDirective] = []
  /// Huge pages to set aside, in order; of two for one size (nil being ``defaultHugePageSize``) the later counts. Whether
  /// the machine has pages of such a size is for the reader to check. Linux: `hugepagesz=`, `hugepages=`.
  public internal(set) var hugePages: [HugePageRequest] = []
  /// The first one given counts. Linux: `default_hugepagesz=`.
  public internal(set) var defaultHugePageSize: PageSize?
  /// Linux: `hugetlb_cma=`.
  public internal(set) var hugePageArea: HugePageArea?
  /// Linux: `cma=`.
  public internal(set) var contiguousArea: ContiguousAreaRequest?
  /// The last one given counts. Linux: `kernelcore=`.
  public internal(set) var kernelCore: CoreAmount?
  /// The last one given counts. Linux: `movablecore=`.
  public internal(set) var movableCore: CoreAmount?
  /// Whether hot-pluggable memory is to be movable. Linux: `movable_node`.
  public internal(set) var isHotpluggableMovable = false
  /// Linux: `numa=off`, `numa=noacpi`, `numa=fake=`.
  public internal(set) var nodeOption: NodeOption?
  /// Linux: `memory_hotplug.memmap_on_memory=`.
  public internal(set) var selfHosting: SelfHosting?
  /// Linux: `memhp_default_state=`.
  public internal(set) var onlinePolicy: OnlinePolicy?
  /// Whether descriptors of huge pages' tails are given back. Linux: `hugetlb_free_vmemmap=`.
  public internal(set) var freesHugePageDescriptors: Bool?
  /// Linux: `transparent_hugepage=`.
  public internal(set) var transparentHugePages: TransparentHugePages?

  /// Memory keys that could not be read.
  public internal(set) var problems: [CommandLineProblem] = []

  private var memoryTexts: [[UInt8]] = []

  /// No parameter at all.
  public init() { parameters = [] }

  /// Reads a command line; never fails, see ``problems``.
  ///
  /// - Complexity: O(length of the text).
  public init(parsing text: [UInt8]) {
    parameters = CommandLineParameter.split(text)
    var pages = HugePageKeys()
    for parameter in parameters {
      guard let key = KernelCommandLine.keys.first(where: { $0.name == parameter.name })?.key else { continue }
      memoryTexts.append(parameter.text)
      if let reason = apply(key, parameter.value, &pages) {
        problems.append(CommandLineProblem(text: parameter.text, reason: reason))
      }
    }
  }

  /// The memory keys alone, each as it stands on the command line, in order, with single spaces between: a command line
  /// with the same effect on memory that tells nothing else about the machine.
  public var memoryKeysOnly: [UInt8] { Array(memoryTexts.joined(separator: [Ascii.space])) }

  private enum Key {
    case mem, memmap, hugePageSize, hugePages, defaultHugePageSize, hugePageArea, contiguousArea, kernelCore, movableCore
    case movableNode, numa, selfHosting, onlinePolicy, freeDescriptors, transparentHugePages
  }

  private static let keys: [(name: [UInt8], key: Key)] = [
    (bytes("mem"), .mem), (bytes("memmap"), .memmap), (bytes("hugepagesz"), .hugePageSize),
    (bytes("hugepages"), .hugePages), (bytes("default_hugepagesz"), .defaultHugePageSize),
    (bytes("hugetlb_cma"), .hugePageArea), (bytes("cma"), .contiguousArea), (bytes("kernelcore"), .kernelCore),
    (bytes("movablecore"), .movableCore), (bytes("movable_node"), .movableNode), (bytes("numa"), .numa),
    (bytes("memory_hotplug.memmap_on_memory"), .selfHosting), (bytes("memhp_default_state"), .onlinePolicy),
    (bytes("hugetlb_free_vmemmap"), .freeDescriptors), (bytes("transparent_hugepage"), .transparentHugePages),
  ]

  private mutating func apply(_ key: Key, _ value: [UInt8]?, _ pages: inout HugePageKeys) -> CommandLineProblem.Reason? {
    switch key {
    case .movableNode:
      isHotpluggableMovable = true
      return nil
    case .selfHosting where value == nil:
      // A bare module switch means yes.
      selfHosting = .on
      return nil
    default: break
    }
    guard let value else { return .noValue }
    switch key {
    case .mem: return applyMem(value)
    case .memmap: return applyMemmap(value)
    case .hugePageSize: return pages.size(value, in: &self)
    case .hugePages: return pages.amount(value, in: &self)
    case .defaultHugePageSize: return pages.defaultSize(value, in: &self)
    case .hugePageArea: return applyHugePageArea(value)
    case .contiguousArea: return applyContiguousArea(value)
    case .kernelCore: return KernelCommandLine.read(value, into: &kernelCore, allowingMirror: true)
    case .movableCore: return KernelCommandLine.read(value, into: &movableCore, allowingMirror: false)
    case .movableNode: return nil
    case .numa: return applyNuma(value)
    case .selfHosting:
      if value == Words.force {
        selfHosting = .forced
      } else if let isOn = truth(value) {
        selfHosting = isOn ? .on : .off
      } else {
        return .unknownWord
      }
    case .onlinePolicy: return choose(value, Words.onlinePolicies, into: &onlinePolicy)
    case .freeDescriptors:
      guard let isOn = truth(value) else { return .unknownWord }
      freesHugePageDescriptors = isOn
    case .transparentHugePages: return choose(value, Words.transparentHugePages, into: &transparentHugePages)
    }
    return nil
  }
}

private enum Words {
  static let force = bytes("force")
  static let onlinePolicies: [([UInt8], OnlinePolicy)] = [
    (bytes("offline"), .offline), (bytes("online"), .online), (bytes("online_kernel"), .onlineKernel),
    (bytes("online_movable"), .onlineMovable),
  ]
  static let transparentHugePages: [([UInt8], TransparentHugePages)] = [
    (bytes("always"), .always), (bytes("madvise"), .onAdvice), (bytes("never"), .never),
  ]
}

private func choose<Value>(
  _ word: [UInt8], _ words: [([UInt8], Value)], into place: inout Value?
) -> CommandLineProblem.Reason? {
  for (text, value) in words where text == word {
    place = value
    return nil
  }
  return .unknownWord
}

/// A switch's value as kernels read it: the first letter decides, after an `o` the second.
///
/// Linux: `kstrtobool`.
private func truth(_ value: [UInt8]) -> Bool? {
  guard let first = value.first else { return nil }
  switch first | 0x20 {
  case 0x79, 0x74, 0x31: return true
  case 0x6e, 0x66, 0x30: return false
  case 0x6f:
    guard let second = value.dropFirst().first else { return nil }
    switch second | 0x20 {
    case 0x6e: return true
    case 0x66: return false
    default: return nil
    }
  default: return nil
  }
}
