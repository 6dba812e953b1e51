import MemoryUnits

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The C libraries give these as different types.
private enum SocketKind {
  #if canImport(Glibc)
    static let stream = Int32(SOCK_STREAM.rawValue)
    static let closedOnExec = Int32(SOCK_CLOEXEC.rawValue)
  #else
    static let stream = SOCK_STREAM
    static let closedOnExec = SOCK_CLOEXEC
  #endif
}

/// Answers one request after the other on one address, until it is told to stop.
///
/// One client is served at a time and for at most ``patience``: the numbers are one survey for all, and a slow client cannot hold
/// up the next for longer.
struct HTTPListener: ~Copyable {
  /// Why nothing can be served.
  enum Failure: Error, Equatable {
    case address(String)
    case inUse(String)
    case denied(String)
    case failed(String, code: Int32)
  }

  /// How long a client may take, in milliseconds.
  static let patience: Int32 = 5000

  private let descriptor: Int32
  /// The port that is listened on; of use where 0 was asked for.
  let port: UInt16

  /// - Parameter address: `127.0.0.1:9177`, `[::1]:9177`; names are not looked up.
  init(_ address: String) throws(Failure) {
    guard let (host, service) = Self.parts(address) else { throw .address(address) }
    var hints = addrinfo()
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE
    hints.ai_socktype = SocketKind.stream
    var found: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(host, service, &hints, &found) == 0, let info = found else { throw .address(address) }
    defer { freeaddrinfo(found) }
    let descriptor = socket(info.pointee.ai_family, info.pointee.ai_socktype | SocketKind.closedOnExec, 0)
    guard descriptor >= 0 else { throw .failed(address, code: errno) }
    var on: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
    guard bind(descriptor, info.pointee.ai_addr, info.pointee.ai_addrlen) == 0, listen(descriptor, 16) == 0 else {
      let code = errno
      close(descriptor)
      switch code {
      case EADDRINUSE: throw .inUse(address)
      case EACCES: throw .denied(address)
      default: throw .failed(address, code: code)
      }
    }
    self.descriptor = descriptor
    port = Self.port(of: descriptor)
  }

  deinit { close(descriptor) }

  /// The two parts of `HOST:PORT`; brackets around an address with colons.
  static func parts(_ address: String) -> (host: String, port: String)? {
    guard let colon = address.lastIndex(of: ":") else { return nil }
    var host = String(address[..<colon])
    let port = String(address[address.index(after: colon)...])
    guard UInt16(port) != nil, port.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else { return nil }
    if host.hasPrefix("["), host.hasSuffix("]") {
      host = String(host.dropFirst().dropLast())
    } else if host.contains(":") {
      return nil
    }
    return host.isEmpty ? nil : (host, port)
  }

  private static func port(of descriptor: Int32) -> UInt16 {
    var address = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    return withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = getsockname(descriptor, $0, &length) }
      // The port is at the same place in both families.
      return pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { UInt16(bigEndian: $0.pointee.sin_port) }
    }
  }

  /// Serves until `isStopped` says so; it is asked after each client and each signal, and at least every second.
  func serve(_ responder: MetricsResponder, until isStopped: () -> Bool) {
    // A client that goes away while it is answered must not end the process.
    signal(SIGPIPE, SIG_IGN)
    while !isStopped() {
      guard Self.wait(for: descriptor, POLLIN, milliseconds: 1000) else { continue }
      let client = accept(descriptor, nil, nil)
      guard client >= 0 else { continue }
      _ = fcntl(client, F_SETFL, O_NONBLOCK)
      _ = fcntl(client, F_SETFD, FD_CLOEXEC)
      Self.answer(client, responder)
      close(client)
    }
  }

  private static func wait(for descriptor: Int32, _ events: Int32, milliseconds: Int32) -> Bool {
    var entry = pollfd(fd: descriptor, events: Int16(events), revents: 0)
    return poll(&entry, 1, milliseconds) > 0
  }

  private static func answer(_ client: Int32, _ responder: MetricsResponder) {
    let clock = ContinuousClock()
    let end = clock.now + .milliseconds(Int64(patience))
    func left() -> Int32 {
      let (seconds, attoseconds) = (end - clock.now).components
      return Int32(max(0, seconds * 1000 + attoseconds / 1_000_000_000_000_000))
    }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    var reading = HTTPRequest.Reading.incomplete
    while reading == .incomplete, wait(for: client, POLLIN, milliseconds: left()) {
      let count = recv(client, &chunk, chunk.count, 0)
      if count < 0, errno == EINTR || errno == EAGAIN { continue }
      if count <= 0 { break }
      bytes += chunk[..<count]
      reading = HTTPRequest.read(bytes)
    }
    guard !bytes.isEmpty else { return }
    let response = responder.response(to: reading)
    let deadline = clock.now + .milliseconds(Int64(patience))
    var sent = 0
    while sent < response.count, clock.now < deadline, wait(for: client, POLLOUT, milliseconds: patience) {
      let count = response[sent...].withUnsafeBytes { send(client, $0.baseAddress, $0.count, 0) }
      if count < 0, errno == EINTR || errno == EAGAIN { continue }
      if count <= 0 { return }
      sent += count
    }
    shutdown(client, Int32(SHUT_WR))
    // Closing with unread bytes would reset the connection and could take the answer with it.
    while wait(for: client, POLLIN, milliseconds: 100), recv(client, &chunk, chunk.count, 0) > 0 {}
  }
}
