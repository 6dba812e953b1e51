import Foundation
import TestSupport
import Testing

/// The built command, run as a user would run it.
struct Command {
  struct Outcome {
    let code: Int32
    let output: String
    let errors: String
  }

  /// The products lie beside the test bundle.
  static let binary = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
    .appendingPathComponent("megalith")

  static let samples = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("Samples").path

  static func run(
    _ arguments: String..., environment: [String: String] = [:], isUnprivileged: Bool = false
  ) throws -> Outcome {
    try run(arguments: arguments, environment: environment, isUnprivileged: isUnprivileged)
  }

  /// - Parameter isUnprivileged: runs as an ordinary user, where the tests run as root.
  static func run(
    arguments: [String], environment: [String: String] = [:], isUnprivileged: Bool = false
  ) throws -> Outcome {
    try #require(FileManager.default.isExecutableFile(atPath: binary.path), "no binary at \(binary.path)")
    let process = Process()
    if isUnprivileged, getuid() == 0 {
      process.executableURL = URL(fileURLWithPath: "/usr/bin/setpriv")
      let drop = ["--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"]
      // The build folder may be root's alone. Another process copies: a descriptor open for writing here would be inherited
      // by whatever a concurrent test is just starting, and a file that is open for writing cannot be run.
      let copy = try TemporaryFolder()
      let copying = try Process.run(
        URL(fileURLWithPath: "/bin/cp"), arguments: [binary.path, copy.path + "/megalith"])
      copying.waitUntilExit()
      try #require(copying.terminationStatus == 0)
      defer { withExtendedLifetime(copy) {} }
      process.arguments = drop + [copy.path + "/megalith"] + arguments
      return try outcome(of: process, environment)
    } else {
      process.executableURL = binary
      process.arguments = arguments
    }
    return try outcome(of: process, environment)
  }

  private static func outcome(of process: Process, _ environment: [String: String]) throws -> Outcome {
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    let output = Pipe()
    let errors = Pipe()
    process.standardOutput = output
    process.standardError = errors
    process.standardInput = FileHandle.nullDevice
    try process.run()
    // Messages are short; the document is read first so that a full pipe cannot stop the command.
    let text = output.fileHandleForReading.readDataToEndOfFile()
    let messages = errors.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return Outcome(
      code: process.terminationStatus, output: String(decoding: text, as: UTF8.self),
      errors: String(decoding: messages, as: UTF8.self))
  }

  /// Runs on a terminal of its own; what it says on either stream comes as output.
  static func onTerminal(_ arguments: String..., environment: [String: String]) throws -> Outcome {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/script")
    let command = ([binary.path] + arguments).map { "'\($0)'" }.joined(separator: " ")
    process.arguments = ["-qec", command, "/dev/null"]
    return try outcome(of: process, environment)
  }

  static func intoFullDisk(_ arguments: String...) throws -> Outcome {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", "\"$@\" >/dev/full", "sh", binary.path] + arguments
    return try outcome(of: process, [:])
  }
}
