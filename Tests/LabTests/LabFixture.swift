import Foundation
import Lab
import Testing

/// Files of Tests/Fixtures/lab.
enum LabFixture {
  static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
  static let folder = root.appending(path: "Tests/Fixtures/lab")

  static func text(_ name: String) throws -> String { try String(contentsOf: folder.appending(path: name), encoding: .utf8) }

  static func scenario(_ name: String) throws -> Scenario {
    try ScenarioFile.read(try text(name), named: "Tests/Fixtures/lab/" + name)
  }

  /// Compares with a reviewed file of the folder. `MEGALITH_WRITE_EXPECTED=1` writes it, for the next review.
  static func compare(_ text: String, with name: String, _ location: SourceLocation = #_sourceLocation) throws {
    try compare(text, withFile: "Tests/Fixtures/lab/" + name, location)
  }

  static func compare(_ text: String, withFile path: String, _ location: SourceLocation = #_sourceLocation) throws {
    let file = root.appending(path: path)
    if ProcessInfo.processInfo.environment["MEGALITH_WRITE_EXPECTED"] == "1" {
      try Data(text.utf8).write(to: file)
      return
    }
    let expected = try String(contentsOf: file, encoding: .utf8)
    #expect(text == expected, "\(path) differs", sourceLocation: location)
  }
}
