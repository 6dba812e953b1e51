import Foundation

/// As much of JSON Schema as the format's schema uses; an unknown keyword refuses everything, so that none is passed over.
struct SchemaChecker {
  var root: [String: Any]

  func accepts(_ value: Any, _ schema: [String: Any]) -> Bool {
    schema.allSatisfy { keyword, argument in holds(keyword, argument, value, schema) }
  }

  private func holds(_ keyword: String, _ argument: Any, _ value: Any, _ schema: [String: Any]) -> Bool {
    switch keyword {
    case "$schema", "title", "description", "$defs": return true
    case "$ref":
      guard let path = argument as? String, path.hasPrefix("#/$defs/"), let all = root["$defs"] as? [String: Any],
        let target = all[String(path.dropFirst(8))] as? [String: Any]
      else { return false }
      return accepts(value, target)
    case "type": return types(argument).contains { isType($0, value) }
    case "const": return isTruth(value) && (value as? Bool) == (argument as? Bool)
    case "enum": return (argument as? [String])?.contains { $0 == value as? String } ?? false
    case "pattern":
      guard let text = value as? String, let pattern = argument as? String else { return true }
      return text.range(of: pattern, options: .regularExpression) != nil
    case "minimum", "maximum":
      guard let number = self.number(value), let bound = self.number(argument) else { return true }
      return number == bound || (number.compare(bound) == .orderedDescending) == (keyword == "minimum")
    case "anyOf": return schemas(argument).contains { accepts(value, $0) }
    case "oneOf": return schemas(argument).filter { accepts(value, $0) }.count == 1
    case "allOf": return schemas(argument).allSatisfy { accepts(value, $0) }
    case "not": return !accepts(value, argument as? [String: Any] ?? [:])
    default: return holdsOfParts(keyword, argument, value, schema)
    }
  }

  private func holdsOfParts(_ keyword: String, _ argument: Any, _ value: Any, _ schema: [String: Any]) -> Bool {
    let list = value as? [Any]
    let map = value as? [String: Any]
    switch keyword {
    case "items": return list?.allSatisfy { accepts($0, argument as? [String: Any] ?? [:]) } ?? true
    case "minItems": return list.map { $0.count >= argument as? Int ?? .max } ?? true
    case "minProperties": return map.map { $0.count >= argument as? Int ?? .max } ?? true
    case "propertyNames": return map?.keys.allSatisfy { accepts($0, argument as? [String: Any] ?? [:]) } ?? true
    case "required": return map.map { map in (argument as? [String])?.allSatisfy { map[$0] != nil } ?? false } ?? true
    case "dependentRequired":
      guard let map, let needs = argument as? [String: [String]] else { return true }
      return needs.allSatisfy { key, others in map[key] == nil || others.allSatisfy { map[$0] != nil } }
    case "properties":
      guard let map, let properties = argument as? [String: [String: Any]] else { return true }
      return map.allSatisfy { key, value in properties[key].map { accepts(value, $0) } ?? true }
    case "additionalProperties":
      let known = (schema["properties"] as? [String: Any] ?? [:]).keys
      let others = (map ?? [:]).filter { !known.contains($0.key) }
      guard let form = argument as? [String: Any] else { return others.isEmpty }
      return others.values.allSatisfy { accepts($0, form) }
    default: return false
    }
  }

  private func types(_ argument: Any) -> [String] { argument as? [String] ?? [argument as? String ?? ""] }

  private func schemas(_ argument: Any) -> [[String: Any]] { argument as? [[String: Any]] ?? [] }

  private func isTruth(_ value: Any) -> Bool {
    guard let number = value as? NSNumber else { return false }
    return String(cString: number.objCType) == "c"
  }

  private func number(_ value: Any) -> NSDecimalNumber? {
    guard let number = value as? NSNumber, !isTruth(value) else { return nil }
    return NSDecimalNumber(string: number.stringValue)
  }

  private func isType(_ type: String, _ value: Any) -> Bool {
    switch type {
    case "string": value is String
    case "boolean": isTruth(value)
    case "number": number(value) != nil
    case "integer": number(value).map { !$0.stringValue.contains(".") } ?? false
    case "array": value is [Any]
    case "object": value is [String: Any]
    default: false
    }
  }
}
