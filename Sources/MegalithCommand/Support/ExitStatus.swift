import HostMemory
import SystemPackage

/// How a command ends when it does not end well: the process's exit code and one line that says what was wrong and what
/// to do.
struct ExitStatus: Error {
  let code: Int32
  /// Nil where the command has said all there is to say.
  let message: String?
  /// Lines of their own before it, as they are: the places of mistakes in a file.
  var lines: [String] = []

  static func failed(_ message: String) -> ExitStatus { ExitStatus(code: 1, message: message) }
  static func inPart(_ message: String) -> ExitStatus { ExitStatus(code: 2, message: message) }
  static func usage(_ message: String) -> ExitStatus { ExitStatus(code: 64, message: message) }
  static func badData(_ message: String) -> ExitStatus { ExitStatus(code: 65, message: message) }
  static func noInput(_ message: String) -> ExitStatus { ExitStatus(code: 66, message: message) }
  static func noPermission(_ message: String) -> ExitStatus { ExitStatus(code: 77, message: message) }
  static let interrupted = ExitStatus(code: 130, message: "stopped; nothing was left behind.")

  func report() {
    for line in lines { StandardError.write(line + "\n") }
    guard let message else { return }
    StandardError.write("megalith: \(message)\n")
  }
}

enum StandardError {
  static func write(_ text: String) {
    // Nobody is left to tell where even this fails.
    _ = try? FileDescriptor.standardError.writeAll(text.utf8)
  }
}

/// Runs what reads a host, and turns its errors into exit codes.
func reading<Value>(_ body: () throws(HostFileError) -> Value) throws(ExitStatus) -> Value {
  do {
    return try body()
  } catch {
    throw ExitStatus(error)
  }
}

extension ExitStatus {
  init(_ error: HostFileError) {
    switch error {
    case .missing(let path): self = .noInput("\(path) is not there. Name a host's root or a capture with --sysroot.")
    case .denied(let path): self = .noPermission("\(path) may not be read. Run as root.")
    case .failed(let path, let code): self = .failed("\(path) could not be read: error \(code).")
    case .damaged: self = .badData("\(error). Make the capture again.")
    }
  }
}

extension ExitStatus {
  init(_ error: CapturedMachineError) {
    switch error {
    case .file(let error): self.init(error)
    case .layout: self = .badData("the zones hold no memory that a machine could be made of. Make the capture again.")
    case .machine: self = .failed("there is no room for a machine's books: \(error). Survey without --engine.")
    case .frames(let range, _):
      self = .failed("the frames \(range) changed hands while they were read. Try again, or survey a capture.")
    }
  }
}
