import Foundation

/// A program that a test starts and waits for.
enum LabProcess {
  struct Result {
    var status: Int32
    var output: String
    var errors: String
  }

  /// - Parameter environment: replaces the test's own, but for `PATH`.
  static func run(
    _ program: String, _ arguments: [String], input: Data = Data(), environment: [String: String]? = nil
  ) throws -> Result {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = [program] + arguments
    if let environment { process.environment = environment }
    let folder = try LabFolder()
    // Files and not pipes: none fills up.
    let names = ["input", "output", "errors"].map { URL(filePath: folder.path($0)) }
    try input.write(to: names[0])
    for name in names.dropFirst() { try Data().write(to: name) }
    process.standardInput = try FileHandle(forReadingFrom: names[0])
    process.standardOutput = try FileHandle(forWritingTo: names[1])
    process.standardError = try FileHandle(forWritingTo: names[2])
    try process.run()
    process.waitUntilExit()
    return Result(
      status: process.terminationStatus, output: try String(contentsOf: names[1], encoding: .utf8),
      errors: try String(contentsOf: names[2], encoding: .utf8))
  }
}
