import Foundation
import Testing

@testable import Lab

struct ScenarioSchemaTests {
  @Test func theCommittedSchemaIsTheCodes() throws {
    try LabFixture.compare(ScenarioFile.schema, withFile: "Samples/scenarios/scenario.schema.json")
  }

  @Test func theReferenceIsTheCodes() throws {
    let path = "Docs/Scenarios.md"
    let document = try String(contentsOf: LabFixture.root.appending(path: path), encoding: .utf8)
    let mark = "<!-- The rest is made from the code. -->\n"
    let head = try #require(document.range(of: mark))
    try LabFixture.compare(document[..<head.upperBound] + "\n" + ScenarioFile.reference, withFile: path)
  }

  @Test func readerAndSchemaRefuseTheSame() throws {
    let schema = try #require(try JSONSerialization.jsonObject(with: Data(ScenarioFile.schema.utf8)) as? [String: Any])
    let checker = SchemaChecker(root: schema)
    for variant in try Variant.all() {
      let read = variant.isRead
      #expect(read == (variant.refusedBy == .nobody), "the reader: \(variant)")
      let isAccepted = checker.accepts(variant.json, schema)
      #expect(isAccepted == (variant.refusedBy != .both), "the schema: \(variant)")
    }
  }

  @Test func anotherCheckerAgrees() throws {
    let variants = try Variant.all()
    let schema = try JSONSerialization.jsonObject(with: Data(ScenarioFile.schema.utf8))
    let input = try JSONSerialization.data(withJSONObject: ["schema": schema, "files": variants.map(\.json)])
    let probe = try LabProcess.run("python3", ["-c", "import jsonschema"])
    guard probe.status == 0 else {
      print("skipped: python3 has no jsonschema here")
      return
    }
    let result = try LabProcess.run("python3", [LabFixture.folder.appending(path: "check-schema.py").path], input: input)
    #expect(result.status == 0, "\(result.errors)")
    let answers = result.output.split(separator: "\n")
    #expect(answers.count == variants.count)
    for (variant, answer) in zip(variants, answers) {
      #expect((answer == "yes") == (variant.refusedBy != .both), "\(variant)")
    }
  }
}

/// A file with a value set in it, and who is to refuse it.
struct Variant: CustomStringConvertible {
  enum Refusal: String {
    case nobody, reader, both
  }

  var refusedBy: Refusal
  var key: String
  var value: String
  let text: String

  var description: String { "\(key) = \(value)" }

  static func all() throws -> [Variant] {
    let text = try LabFixture.text("all-keys.yaml")
    return try LabFixture.text("variants.txt").split(separator: "\n").filter { !$0.hasPrefix("#") }.map { line in
      let parts = line.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: true)
      let refusal = try #require(Refusal(rawValue: String(parts[0])))
      return Variant(
        refusedBy: refusal, key: String(parts[1]), value: parts[2].trimmingCharacters(in: .whitespaces), text: text)
    }
  }

  var isRead: Bool { (try? ScenarioFile.read(text, overriding: [(key, value)])) != nil }

  var json: Any {
    var file = YAMLText.read(text).value ?? FileValue(.map([]), .start)
    _ = file.override(key, with: value)
    return file.json
  }
}

extension FileValue {
  /// As a YAML reader without knowledge of the format sees it.
  var json: Any {
    switch content {
    case .list(let values): return values.map(\.json)
    case .map(let entries): return Dictionary(entries.map { ($0.key, $0.value.json) }) { first, _ in first }
    case .scalar(let text, let style):
      guard style == .plain else { return text }
      if isNothing { return NSNull() }
      if text == "true" || text == "false" { return NSNumber(value: text == "true") }
      if let number = UInt64(text) { return NSNumber(value: number) }
      if let number = Int64(text) { return NSNumber(value: number) }
      if text.wholeMatch(of: /[-+]?[0-9]+\.[0-9]+/) != nil, let number = Double(text) { return NSNumber(value: number) }
      return text
    }
  }
}
