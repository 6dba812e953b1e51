import Foundation
import Synchronization
import TestSupport
import Testing

@testable import MegalithCommand

/// The responder takes whatever comes, and answers or says why not.
@Suite struct HTTPTests {
  private func read(_ text: String) -> HTTPRequest.Reading { HTTPRequest.read(Array(text.utf8)) }

  private func request(_ method: String, _ path: String, _ openMetrics: Bool = false) -> HTTPRequest.Reading {
    .request(HTTPRequest(method: method, path: path, acceptsOpenMetrics: openMetrics))
  }

  @Test func requestsAreRead() {
    #expect(read("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n") == request("GET", "/metrics"))
    #expect(read("GET /metrics?x=1 HTTP/1.0\n\n") == request("GET", "/metrics"))
    #expect(
      read("HEAD / HTTP/1.1\r\naccept: text/plain;q=0.1, application/openmetrics-text;version=1.0.0\r\n\r\n")
        == request("HEAD", "/", true))
    #expect(read("GET / HTTP/1.1\r\nHost: a\r\n") == .incomplete)
    #expect(read("") == .incomplete)
  }

  @Test(arguments: [
    "\r\n\r\n", "GET /\r\n\r\n", "GET  / HTTP/1.1\r\n\r\n", "get / HTTP/1.1\r\n\r\n", "GET x HTTP/1.1\r\n\r\n",
    "GET / HTTP/2.0\r\n\r\n",
    "GET / HTTP/1.1\r\nno header\r\n\r\n", "GET / HTTP/1.1\r\n: empty\r\n\r\n", " / HTTP/1.1\r\n\r\n",
  ]) func otherTextsAreRefused(text: String) { #expect(read(text) == .refused(.badRequest)) }

  @Test func longHeadersAreRefused() {
    let long = String(repeating: "a", count: HTTPRequest.limit)
    #expect(read("GET / HTTP/1.1\r\nx: \(long)") == .refused(.headerTooLarge))
    #expect(read("GET / HTTP/1.1\r\nx: \(long)\r\n\r\n") == .refused(.headerTooLarge))
  }

  @Test func noInputTraps() {
    var random = SplitMix(seed: 0x177)
    let example = Array("GET /metrics?a HTTP/1.1\r\nHost: a\r\nAccept: application/openmetrics-text\r\n\r\n".utf8)
    var accepted = 0
    for _ in 0..<10_000 {
      var input = example
      for _ in 0..<Int.random(in: 0...3, using: &random) {
        let place = Int.random(in: 0..<input.count, using: &random)
        switch Int.random(in: 0..<3, using: &random) {
        case 0: input[place] = UInt8.random(in: 0...255, using: &random)
        case 1: input.remove(at: place)
        default: input.removeSubrange(place...)
        }
        if input.isEmpty { break }
      }
      if case .request = HTTPRequest.read(input) { accepted += 1 }
      _ = MetricsResponder { .success("") }.response(to: HTTPRequest.read(input))
    }
    #expect(accepted > 0)
  }

  private func answer(_ text: String, _ metrics: Result<String, CommandStatus> = .success("x 1\n")) -> String {
    String(decoding: MetricsResponder { metrics }.response(to: read(text)), as: UTF8.self)
  }

  @Test func answersFitTheRequest() {
    #expect(
      answer("GET /metrics HTTP/1.1\r\n\r\n")
        == "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: 4\r\nConnection: close\r\n\r\nx 1\n"
    )
    #expect(answer("HEAD /metrics HTTP/1.1\r\n\r\n").hasSuffix("Content-Length: 4\r\nConnection: close\r\n\r\n"))
    #expect(answer("GET / HTTP/1.1\r\n\r\n").hasPrefix("HTTP/1.1 200 "))
    #expect(answer("GET /other HTTP/1.1\r\n\r\n").hasPrefix("HTTP/1.1 404 "))
    #expect(answer("POST /metrics HTTP/1.1\r\n\r\n").contains("Allow: GET, HEAD"))
    #expect(answer("GET /met").hasPrefix("HTTP/1.1 400 "))
    let failed = answer("GET /metrics HTTP/1.1\r\n\r\n", .failure(.failed("no zones.")))
    #expect(failed.hasPrefix("HTTP/1.1 500 ") && failed.hasSuffix("no zones.\n"))
  }

  @Test func addressesHaveTwoParts() {
    let parts = ["127.0.0.1:9177", "[::1]:80", "::1:80", "host", ":80", "a:", "a:65536", "a:+1"].map {
      HTTPListener.parts($0).map { "\($0.host) \($0.port)" }
    }
    #expect(parts == ["127.0.0.1 9177", "::1 80", nil, nil, nil, nil, nil, nil])
  }

  @Test func anAddressThatIsTakenOrUnknownIsSaid() throws {
    let first = try HTTPListener("127.0.0.1:0")
    let address = "127.0.0.1:\(first.port)"
    #expect(throws: HTTPListener.Failure.inUse(address)) { _ = try HTTPListener(address).port }
    #expect(throws: HTTPListener.Failure.address("localhost:0")) { _ = try HTTPListener("localhost:0").port }
    withExtendedLifetime(first) {}
  }

  /// A client in pieces, one that goes away, one that sends nothing, and one that asks properly: all on one listener.
  @Test func clientsAreServedOneAfterTheOther() throws {
    let listener = try HTTPListener("127.0.0.1:0")
    let port = listener.port
    // The clients run in a thread of their own; the listener is not shared.
    let isStopped = Stop()
    let clients = Thread {
      defer { isStopped.flag.store(true, ordering: .releasing) }
      #expect(Client(port).ask(["GET /met", "rics HTTP/1.1\r\n", "\r\n"]).hasSuffix("x 1\n"))
      Client(port).leave(after: "GET /metrics HTTP/1.1\r\n\r\n")
      Client(port).leave(after: "")
      #expect(Client(port).ask(["nonsense\r\n\r\n"]).hasPrefix("HTTP/1.1 400 "))
      #expect(Client(port).ask(["GET /metrics HTTP/1.1\r\n\r\n"]).hasPrefix("HTTP/1.1 200 OK"))
    }
    clients.start()
    listener.serve(MetricsResponder { .success("x 1\n") }) { isStopped.flag.load(ordering: .acquiring) }
  }

  private final class Stop: Sendable {
    let flag = Atomic<Bool>(false)
  }

  @Test func aSurveyIsServedAgainForAWhile() {
    final class Now { var time = Duration.zero }
    let now = Now()
    var made = 0
    let cache = SurveyCache(maxAge: .seconds(5), now: { now.time }) { () throws(CommandStatus) in
      made += 1
      if made == 3 { throw CommandStatus.failed("x") }
      return "\(made)"
    }
    func get() -> String? { try? cache.get().get() }
    #expect(get() == "1")
    now.time = .seconds(5)
    #expect(get() == "1")
    now.time = .seconds(6)
    #expect(get() == "2")
    now.time = .seconds(12)
    #expect(get() == nil)
    #expect(get() == "4")
  }
}

/// A client that can be rude.
private final class Client {
  private let socket: Int32

  init(_ port: UInt16) {
    socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    let code = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
    }
    precondition(code == 0, "no connection to the listener")
  }

  func ask(_ pieces: [String]) -> String {
    for piece in pieces {
      _ = Array(piece.utf8).withUnsafeBytes { send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      usleep(20_000)
    }
    var answer: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while case let count = recv(socket, &chunk, chunk.count, 0), count > 0 { answer += chunk[..<count] }
    close(socket)
    return String(decoding: answer, as: UTF8.self)
  }

  func leave(after text: String) {
    _ = Array(text.utf8).withUnsafeBytes { send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    close(socket)
  }
}
