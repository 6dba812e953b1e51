/// The little of a request that the responder goes by: method, path, and whether a header names a form of text.
///
/// RFC 9112, without bodies, trailers and pipelining: each connection serves one request.
struct HTTPRequest: Equatable {
  enum Reading: Equatable {
    /// The header is not complete yet.
    case incomplete
    case request(HTTPRequest)
    /// Not a request; the status to answer with.
    case refused(HTTPStatus)
  }

  let method: String
  /// Without the query.
  let path: String
  let acceptsOpenMetrics: Bool

  /// Headers larger than this are refused.
  static let limit = 8 << 10

  /// Reads what came so far.
  ///
  /// - Complexity: O(bytes).
  static func read(_ bytes: [UInt8]) -> Reading {
    guard let end = headerEnd(bytes) else { return bytes.count >= limit ? .refused(.headerTooLarge) : .incomplete }
    guard end <= limit else { return .refused(.headerTooLarge) }
    let lines = bytes[..<end].split(separator: 0x0a, omittingEmptySubsequences: false).map { line in
      line.last == 0x0d ? line.dropLast() : line
    }
    let words = lines[0].split(separator: 0x20, omittingEmptySubsequences: false).map { String(decoding: $0, as: UTF8.self) }
    guard words.count == 3, words[0].utf8.allSatisfy({ $0 >= 0x41 && $0 <= 0x5a }), !words[0].isEmpty else {
      return .refused(.badRequest)
    }
    guard words[2] == "HTTP/1.1" || words[2] == "HTTP/1.0" else { return .refused(.badRequest) }
    guard words[1].hasPrefix("/") else { return .refused(.badRequest) }
    var accepts = false
    for line in lines.dropFirst() where !line.isEmpty {
      guard let colon = line.firstIndex(of: 0x3a), colon > line.startIndex else { return .refused(.badRequest) }
      let name = String(decoding: line[..<colon], as: UTF8.self).lowercased()
      guard name == "accept" else { continue }
      let value = String(decoding: line[(colon + 1)...], as: UTF8.self)
      accepts = accepts || value.contains("application/openmetrics-text")
    }
    let path = words[1].split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)[0]
    return .request(HTTPRequest(method: words[0], path: String(path), acceptsOpenMetrics: accepts))
  }

  /// Where the empty line ends; lines may end without a carriage return.
  private static func headerEnd(_ bytes: [UInt8]) -> Int? {
    for index in bytes.indices where bytes[index] == 0x0a {
      if index + 1 < bytes.count, bytes[index + 1] == 0x0a { return index + 2 }
      if index + 2 < bytes.count, bytes[index + 1] == 0x0d, bytes[index + 2] == 0x0a { return index + 3 }
    }
    return nil
  }
}

enum HTTPStatus: String {
  case ok = "200 OK"
  case badRequest = "400 Bad Request"
  case notFound = "404 Not Found"
  case methodNotAllowed = "405 Method Not Allowed"
  case headerTooLarge = "431 Request Header Fields Too Large"
  case failed = "500 Internal Server Error"
}

/// An answer, and its bytes.
struct HTTPResponse {
  let status: HTTPStatus
  let contentType: String
  let body: String

  static func plain(_ status: HTTPStatus, _ body: String) -> HTTPResponse {
    HTTPResponse(status: status, contentType: "text/plain; charset=utf-8", body: body + "\n")
  }

  /// Numbers, under the name of the form that the client asked for.
  static func metrics(_ text: String, openMetrics: Bool) -> HTTPResponse {
    HTTPResponse(
      status: .ok,
      contentType: openMetrics
        ? "application/openmetrics-text; version=1.0.0; charset=utf-8" : "text/plain; version=0.0.4; charset=utf-8", body: text)
  }

  /// - Parameter withoutBody: as the answer to HEAD.
  func bytes(withoutBody: Bool = false) -> [UInt8] {
    var head = "HTTP/1.1 \(status.rawValue)\r\nContent-Type: \(contentType)\r\nContent-Length: \(body.utf8.count)\r\n"
    if status == .methodNotAllowed { head += "Allow: GET, HEAD\r\n" }
    return Array("\(head)Connection: close\r\n\r\n\(withoutBody ? "" : body)".utf8)
  }
}

/// What is answered to what.
struct MetricsResponder {
  /// The numbers, or why there are none.
  let metrics: () -> Result<String, ExitStatus>

  func response(to reading: HTTPRequest.Reading) -> [UInt8] {
    switch reading {
    case .incomplete: return HTTPResponse.plain(.badRequest, "the request was cut off").bytes()
    case .refused(let status): return HTTPResponse.plain(status, status.rawValue).bytes()
    case .request(let request):
      let isHead = request.method == "HEAD"
      guard isHead || request.method == "GET" else { return HTTPResponse.plain(.methodNotAllowed, "use GET").bytes() }
      switch request.path {
      case "/metrics":
        switch metrics() {
        case .success(let text):
          return HTTPResponse.metrics(text, openMetrics: request.acceptsOpenMetrics).bytes(withoutBody: isHead)
        case .failure(let error): return HTTPResponse.plain(.failed, error.message ?? "no numbers").bytes(withoutBody: isHead)
        }
      case "/": return HTTPResponse.plain(.ok, "megalith: the numbers are at /metrics").bytes(withoutBody: isHead)
      default: return HTTPResponse.plain(.notFound, "the numbers are at /metrics").bytes(withoutBody: isHead)
      }
    }
  }
}
