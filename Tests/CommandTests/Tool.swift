import Foundation

/// Another program, run to its end.
enum Tool {
  /// - Parameter input: a file for its standard input.
  /// - Returns: its exit code, and what it said on either stream.
  static func run(_ path: String, _ arguments: [String], input: String? = nil) throws -> (code: Int32, text: String) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = arguments
    let output = Pipe()
    process.standardOutput = output
    process.standardError = output
    if let input { process.standardInput = try FileHandle(forReadingFrom: URL(fileURLWithPath: input)) }
    try process.run()
    let text = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: text, as: UTF8.self))
  }
}
