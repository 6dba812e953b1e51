import Foundation
import Testing

@testable import MegalithCommand

/// The testing library has a type of the same name.
typealias CommandStatus = MegalithCommand.ExitStatus

/// The built command while it runs, until Ctrl-C.
final class RunningCommand {
  private let process = Process()
  private let errors = Pipe()
  private let output = Pipe()

  init(_ arguments: [String]) throws {
    process.executableURL = Command.binary
    process.arguments = arguments
    process.standardOutput = output
    process.standardError = errors
    process.standardInput = FileHandle.nullDevice
    try process.run()
  }

  /// The first line that it says on standard error.
  func errorLine() throws -> String { try line(errors) }

  func outputLine() throws -> String { try line(output) }

  private func line(_ pipe: Pipe) throws -> String {
    var bytes = Data()
    while let byte = try pipe.fileHandleForReading.read(upToCount: 1), byte != Data([0x0a]) {
      if byte.isEmpty { break }
      bytes += byte
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// As Ctrl-C does. Its exit code.
  @discardableResult func end() -> Int32 {
    if process.isRunning { process.interrupt() }
    for _ in 0..<600 where process.isRunning { usleep(100_000) }
    // A minute is far more than any of them needs; the code tells that it was killed.
    if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    process.waitUntilExit()
    return process.terminationStatus
  }

}
