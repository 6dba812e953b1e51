import CHostArena

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

public import MemoryUnits

/// Memory of this process, which is a child that only touches.
public final class TouchingProcess: TouchedMemory {
  private let parent = getppid()

  public init() {}

  /// Puts this process first in line for the kernel's out-of-memory killer. It must touch nothing where that fails.
  ///
  /// Linux: `oom_score_adj`.
  public func standFirstInLine() throws(HostWriteError) {
    try LiveControl(isInterrupted: { false }).set("proc/self/oom_score_adj", to: "1000")
  }

  /// Whether the process that started this one is gone.
  public var isOrphan: Bool { getppid() != parent }

  public func hold(_ size: ByteCount, on node: NodeID) -> Bool {
    let length = Int(size.rawValue)
    let start = mmap(nil, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let start, start != MAP_FAILED else { return false }
    guard host_bind(start, length, node.rawValue) == 0 else {
      munmap(start, length)
      return false
    }
    host_touch(start, length, Int(LivePage.shift.bytes.rawValue))
    return true
  }

  /// The limits' clock.
  public static var now: Duration { LiveControl(isInterrupted: { false }).now }
}
