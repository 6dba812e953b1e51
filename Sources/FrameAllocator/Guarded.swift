import Synchronization

/// A state that one thread at a time looks at or changes.
///
/// A lock for short work: who finds it taken spins. What takes long - allocation that may move folios, copies - is done outside,
/// and what was seen inside is looked at again afterwards. It does not nest: a body that comes back to its own lock waits for ever.
///
/// The state lies in an allocation of its own, made once.
///
/// **Threads.** Any. What a body wrote is seen by every later body.
///
/// Linux: `spinlock_t`, there apart from what it guards.
@safe public struct Guarded<State: ~Copyable & Sendable>: ~Copyable, @unchecked Sendable {
  // Unchecked, because of the pointer: it is followed by who holds the lock only.

  /// Whether somebody is inside. Its partner is `state`: taken by an acquiring exchange, left by a releasing store.
  private let isTaken: Atomic<Bool>
  /// Guarded by `isTaken`.
  private let state: UnsafeMutablePointer<State>
  private let pause: @Sendable () -> Void

  /// - Parameter pause: called between two looks at a lock that is taken.
  public init(_ state: consuming State, pause: @escaping @Sendable () -> Void) {
    isTaken = Atomic(false)
    unsafe self.state = .allocate(capacity: 1)
    unsafe self.state.initialize(to: state)
    self.pause = pause
  }

  deinit {
    // The owner alone is here: the lock cannot be held any more.
    unsafe state.deinitialize(count: 1)
    unsafe state.deallocate()
  }

  /// Runs `body` while nobody else is inside.
  ///
  /// - Complexity: O(1) beside the body and the wait for others. Linux: `spin_lock`.
  public borrowing func withLock<Result: ~Copyable, Failure: Error>(
    _ body: (inout State) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    while !tryTake() {
      // A plain look while it is taken, so that its line stays shared.
      while isTaken.load(ordering: .relaxed) { pause() }
    }
    defer { isTaken.store(false, ordering: .releasing) }
    // The lock is held, so that this is the only way to the state.
    return try unsafe body(&state.pointee)
  }

  /// Runs `body` if nobody is inside; nil, and the body is not run, where somebody is.
  ///
  /// Linux: `spin_trylock`.
  public borrowing func tryWithLock<Result: ~Copyable, Failure: Error>(
    _ body: (inout State) throws(Failure) -> Result
  ) throws(Failure) -> Result? {
    guard tryTake() else { return nil }
    defer { isTaken.store(false, ordering: .releasing) }
    // The lock is held, so that this is the only way to the state.
    return try unsafe body(&state.pointee)
  }

  private borrowing func tryTake() -> Bool {
    isTaken.compareExchange(expected: false, desired: true, successOrdering: .acquiring, failureOrdering: .relaxed).exchanged
  }
}
