#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

public import SystemPackage

/// The running machine. One thread uses it; time limits are this process's interval timer.
public final class LiveControl: HostControl {
  public let root = Sysroot.live
  private let interruption: () -> Bool
  private let toucher: [String]

  /// - Parameters:
  ///   - toucher: a program and its arguments, to which those of the limits are added; it touches memory and prints a
  ///     ``TouchReport`` (see ``TouchMessage``). Empty for a host that touches nothing.
  ///   - isInterrupted: whether the operator wants the work to stop.
  public init(toucher: [String] = [], isInterrupted: @escaping () -> Bool) {
    self.toucher = toucher
    interruption = isInterrupted
    // The timer's signal must end a write, not the process; `sigaction` without SA_RESTART leaves the call interrupted.
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { _ in }
    sigaction(SIGALRM, &action, nil)
  }

  public func write(_ bytes: [UInt8], to path: String, limit: Duration?) throws(Errno) -> Int {
    let descriptor = try open(path)
    defer { try? descriptor.close() }
    if let limit { Self.setTimer(limit) }
    defer { if limit != nil { Self.setTimer(nil) } }
    do {
      return try bytes.withUnsafeBytes { try descriptor.write($0, retryOnInterrupt: false) }
    } catch {
      throw error as? Errno ?? .ioError
    }
  }

  public func checkWritable(_ path: String) throws(Errno) {
    let descriptor = try open(path)
    try? descriptor.close()
  }

  private func open(_ path: String) throws(Errno) -> FileDescriptor {
    do {
      return try FileDescriptor.open(root.folder.appending(path), .writeOnly)
    } catch {
      throw error as? Errno ?? .ioError
    }
  }

  /// The signal comes again until the timer is taken back: the first one may come before the write begins.
  private static func setTimer(_ limit: Duration?) {
    var timer = itimerval()
    if let limit {
      let (seconds, attoseconds) = limit.components
      timer.it_value = timeval(tv_sec: Int(seconds), tv_usec: Int(attoseconds / 1_000_000_000_000))
      if timer.it_value.tv_sec <= 0, timer.it_value.tv_usec <= 0 { timer.it_value = timeval(tv_sec: 0, tv_usec: 1) }
      timer.it_interval = timeval(tv_sec: 0, tv_usec: 100_000)
    }
    #if canImport(Glibc)
      setitimer(__itimer_which_t(ITIMER_REAL.rawValue), &timer, nil)
    #else
      setitimer(ITIMER_REAL, &timer, nil)
    #endif
  }

  public var now: Duration {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
  }

  public func sleep(_ duration: Duration) {
    let (seconds, attoseconds) = duration.components
    var time = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
    nanosleep(&time, nil)
  }

  public func touch(_ limits: TouchLimits) throws(TouchError) -> TouchReport {
    guard let program = toucher.first else { throw .notStarted(code: 0) }
    return try ChildProcess.run(program, Array(toucher.dropFirst()) + TouchMessage.arguments(limits))
  }

  public var isInterrupted: Bool { interruption() }
}
