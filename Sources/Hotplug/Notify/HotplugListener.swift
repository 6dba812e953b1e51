import FrameAllocator
public import FrameMap
public import MemoryUnits

/// What happens to memory, told to listeners.
///
/// Linux: `MEM_GOING_ONLINE` and its like.
public struct HotplugEvent: Hashable, Sendable {
  public enum Step: UInt8, CaseIterable, Hashable, Sendable {
    /// May be refused.
    case goingOnline
    case online
    /// Somebody refused, or it failed; told to those who had agreed.
    case onlineCancelled
    /// May be refused.
    case goingOffline
    case offline
    case offlineCancelled
  }

  public let step: Step
  public let range: FrameRange
  public let zone: ZoneIndex
}

/// The number under which a listener was registered; never used twice.
@frozen public struct ListenerNumber: Comparable, Hashable, Sendable, CustomStringConvertible {
  public let rawValue: UInt64
  @inlinable public init(_ rawValue: UInt64) { self.rawValue = rawValue }
  @inlinable public static func < (left: ListenerNumber, right: ListenerNumber) -> Bool { left.rawValue < right.rawValue }
  public var description: String { String(rawValue) }
}

/// Says whether it agrees; the answer counts where an event may be refused. It is called with the hotplug lock held and must not come
/// back to it.
public typealias HotplugListener = @Sendable (HotplugEvent) -> Bool

struct Listener: Sendable {
  let number: ListenerNumber
  let hear: HotplugListener
}

extension MemoryHotplug {
  /// Has events told to `listener`, after those who came before it.
  ///
  /// Linux: `register_memory_notifier`.
  public borrowing func register(_ listener: @escaping HotplugListener) -> ListenerNumber {
    state.withLock { state in
      let number = ListenerNumber(state.nextListener)
      state.nextListener += 1
      state.listeners.append(Listener(number: number, hear: listener))
      return number
    }
  }

  /// Ends that. Traps where nobody is registered under the number.
  public borrowing func unregister(_ number: ListenerNumber) {
    state.withLock { state in
      guard let place = state.listeners.firstIndex(where: { $0.number == number }) else {
        preconditionFailure("no listener of that number")
      }
      state.listeners.remove(at: place)
    }
  }
}

extension HotplugState {
  /// Asks all; where one refuses, tells `cancelled` to those who had agreed.
  func ask(
    _ step: HotplugEvent.Step, orTell cancelled: HotplugEvent.Step, _ range: FrameRange, _ zone: ZoneIndex
  ) throws(HotplugError) {
    for (place, listener) in listeners.enumerated() {
      guard listener.hear(HotplugEvent(step: step, range: range, zone: zone)) else {
        for earlier in listeners[..<place] { _ = earlier.hear(HotplugEvent(step: cancelled, range: range, zone: zone)) }
        throw .vetoed(by: listener.number)
      }
    }
  }

  func tell(_ step: HotplugEvent.Step, _ range: FrameRange, _ zone: ZoneIndex) {
    for listener in listeners { _ = listener.hear(HotplugEvent(step: step, range: range, zone: zone)) }
  }
}
