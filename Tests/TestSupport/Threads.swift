import Glibc
import Synchronization

/// Runs `body` on `count` threads of the system's own, and waits for all. Tasks would share as many threads as there are
/// processors, so that none would ever be interrupted inside the allocator by another.
public func concurrently(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
  final class Start: Sendable {
    let index: Int
    let body: @Sendable (Int) -> Void
    init(_ index: Int, _ body: @escaping @Sendable (Int) -> Void) {
      self.index = index
      self.body = body
    }
  }
  let threads = (0..<count).map { index in
    var thread = pthread_t()
    let failure = pthread_create(
      &thread, nil,
      { argument in
        guard let argument else { return nil }
        let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
        start.body(start.index)
        return nil
      }, Unmanaged.passRetained(Start(index, body)).toOpaque())
    precondition(failure == 0, "no thread could be made")
    return thread
  }
  for thread in threads { pthread_join(thread, nil) }
}

/// A number that threads count on together.
public final class Tally: Sendable {
  private let number: Atomic<Int>
  public init(_ start: Int = 0) { number = Atomic(start) }

  public var value: Int { number.load(ordering: .acquiring) }
  public func add(_ amount: Int) { number.wrappingAdd(amount, ordering: .acquiringAndReleasing) }
}
