import Foundation

/// A browser without a window, driven by messages over two pipes (the DevTools protocol), and one page in it.
final class HtmlBrowser {
  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  /// `MEGALITH_BROWSER`, else the first that is on the path; nil where there is none.
  static let found: String? = {
    let environment = ProcessInfo.processInfo.environment
    if let named = environment["MEGALITH_BROWSER"] { return named }
    for folder in (environment["PATH"] ?? "").split(separator: ":") {
      for name in ["chromium", "chromium-browser", "google-chrome"] {
        let path = "\(folder)/\(name)"
        if FileManager.default.isExecutableFile(atPath: path) { return path }
      }
    }
    return nil
  }()

  /// Where pictures of pages are wanted.
  static let folder = ProcessInfo.processInfo.environment["MEGALITH_REPORT_FOLDER"]

  private let process = Process()
  private let toBrowser = Pipe()
  private let fromBrowser = Pipe()
  private let profile: URL
  private var unread = Data()
  private var lastNumber = 0
  private var session: String?
  /// What went wrong in the page since it was loaded: exceptions, errors on its console, what its policy or the network refused.
  private(set) var troubles: [String] = []
  /// Addresses that the page asked for.
  private(set) var requests: [String] = []
  private var isLoaded = false

  init(_ path: String) throws {
    profile = FileManager.default.temporaryDirectory.appendingPathComponent("megalith-browser-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: profile, withIntermediateDirectories: true)
    var flags = [
      "--headless=new", "--remote-debugging-pipe", "--user-data-dir=\(profile.path)", "--no-first-run", "--disable-gpu",
      "--disable-dev-shm-usage", "--disable-extensions", "--disable-background-networking", "--disable-component-update",
      "--disable-sync", "--mute-audio", "--hide-scrollbars",
    ]
    if getuid() == 0 { flags.append("--no-sandbox") }
    // The browser reads its messages from descriptor 3 and answers on 4.
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", #"exec "$@" 3<&0 4>&1 0</dev/null 1>/dev/null 2>/dev/null"#, "sh", path] + flags + ["about:blank"]
    process.standardInput = toBrowser
    process.standardOutput = fromBrowser
    try process.run()
    let target = try call("Target.createTarget", ["url": "about:blank"])["targetId"] as? String ?? ""
    session = try call("Target.attachToTarget", ["targetId": target, "flatten": true])["sessionId"] as? String
    for domain in ["Page", "Runtime", "Log", "Network"] { try call("\(domain).enable") }
    try resize(width: 1200, height: 800)
  }

  deinit {
    session = nil
    _ = try? call("Browser.close", timeout: 3)
    if process.isRunning { process.terminate() }
    process.waitUntilExit()
    try? FileManager.default.removeItem(at: profile)
  }

  @discardableResult
  func call(_ method: String, _ parameters: [String: Any] = [:], timeout: TimeInterval = 30) throws -> [String: Any] {
    lastNumber += 1
    var message: [String: Any] = ["id": lastNumber, "method": method, "params": parameters]
    if let session { message["sessionId"] = session }
    try toBrowser.fileHandleForWriting.write(contentsOf: JSONSerialization.data(withJSONObject: message) + [0])
    let deadline = Date(timeIntervalSinceNow: timeout)
    while true {
      let answer = try nextMessage(by: deadline, for: method)
      if answer["id"] as? Int == lastNumber {
        if let error = answer["error"] as? [String: Any] { throw Failure(description: "\(method): \(error)") }
        return answer["result"] as? [String: Any] ?? [:]
      }
    }
  }

  private func nextMessage(by deadline: Date, for what: String) throws -> [String: Any] {
    while true {
      if let end = unread.firstIndex(of: 0) {
        let message = try JSONSerialization.jsonObject(with: unread[..<end]) as? [String: Any] ?? [:]
        unread = Data(unread[unread.index(after: end)...])
        note(message)
        return message
      }
      var descriptor = pollfd(fd: fromBrowser.fileHandleForReading.fileDescriptor, events: Int16(POLLIN), revents: 0)
      let rest = Int32(max(deadline.timeIntervalSinceNow, 0) * 1000)
      guard rest > 0, poll(&descriptor, 1, rest) > 0 else { throw Failure(description: "no answer in time: \(what)") }
      let piece = fromBrowser.fileHandleForReading.availableData
      guard !piece.isEmpty else { throw Failure(description: "the browser is gone: \(what)") }
      unread.append(piece)
    }
  }

  private func note(_ message: [String: Any]) {
    guard let method = message["method"] as? String, let parameters = message["params"] as? [String: Any] else { return }
    switch method {
    case "Page.loadEventFired": isLoaded = true
    case "Runtime.exceptionThrown": troubles.append("\(parameters["exceptionDetails"] ?? "")")
    case "Runtime.consoleAPICalled" where ["error", "assert", "warning"].contains(parameters["type"] as? String):
      troubles.append("\(parameters["args"] ?? "")")
    case "Log.entryAdded":
      let text = (parameters["entry"] as? [String: Any])?["text"] as? String ?? ""
      // Advice on reading pixels back, which only the trial does.
      if !text.contains("willReadFrequently") { troubles.append(text) }
    case "Network.requestWillBeSent":
      if let request = parameters["request"] as? [String: Any], let address = request["url"] as? String {
        requests.append(address)
      }
    default: break
    }
  }

  func open(_ path: String) throws {
    troubles = []
    requests = []
    isLoaded = false
    try call("Page.navigate", ["url": "file://\(path)"])
    let deadline = Date(timeIntervalSinceNow: 30)
    while !isLoaded { _ = try nextMessage(by: deadline, for: "loading \(path)") }
    try settle()
  }

  func resize(width: Int, height: Int, ratio: Int = 1, isPhone: Bool = false) throws {
    try call(
      "Emulation.setDeviceMetricsOverride", ["width": width, "height": height, "deviceScaleFactor": ratio, "mobile": isPhone])
  }

  /// - Parameter isCalm: whether the page is asked to move nothing by itself.
  func setMedia(isDark: Bool = false, isCalm: Bool = true) throws {
    let features = [
      ["name": "prefers-color-scheme", "value": isDark ? "dark" : "light"],
      ["name": "prefers-reduced-motion", "value": isCalm ? "reduce" : "no-preference"],
    ]
    try call("Emulation.setEmulatedMedia", ["features": features])
  }

  /// The value of an expression, awaited where it is a promise.
  @discardableResult
  func evaluate(_ expression: String) throws -> Any? {
    let answer = try call("Runtime.evaluate", ["expression": expression, "returnByValue": true, "awaitPromise": true])
    if let details = answer["exceptionDetails"] { throw Failure(description: "\(expression): \(details)") }
    return (answer["result"] as? [String: Any])?["value"]
  }

  func text(_ expression: String) throws -> String { try evaluate(expression) as? String ?? "" }

  func number(_ expression: String) throws -> Double { try evaluate(expression) as? Double ?? .nan }

  /// Waits until what was asked for has been painted.
  func settle() throws {
    try evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 0))))")
  }

  func press(_ key: String, code: Int, text: String? = nil) throws {
    var down: [String: Any] = [
      "type": text == nil ? "rawKeyDown" : "keyDown", "key": key, "code": key, "windowsVirtualKeyCode": code,
    ]
    if let text { down["text"] = text }
    try call("Input.dispatchKeyEvent", down)
    try call("Input.dispatchKeyEvent", ["type": "keyUp", "key": key, "code": key, "windowsVirtualKeyCode": code])
    try settle()
  }

  func mouse(_ type: String, x: Double, y: Double, clicks: Int = 0, wheel: Double? = nil) throws {
    var event: [String: Any] = ["type": type, "x": x, "y": y, "button": clicks > 0 ? "left" : "none", "clickCount": clicks]
    if let wheel {
      event["deltaX"] = 0
      event["deltaY"] = wheel
    }
    try call("Input.dispatchMouseEvent", event)
  }

  func click(x: Double, y: Double, clicks: Int = 1) throws {
    for count in 1...clicks {
      try mouse("mousePressed", x: x, y: y, clicks: count)
      try mouse("mouseReleased", x: x, y: y, clicks: count)
    }
    try settle()
  }

  func screenshot(isWhole: Bool = false) throws -> Data {
    let answer = try call("Page.captureScreenshot", ["format": "png", "captureBeyondViewport": isWhole])
    return Data(base64Encoded: answer["data"] as? String ?? "") ?? Data()
  }
}
