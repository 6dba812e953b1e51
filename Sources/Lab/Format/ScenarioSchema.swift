extension ScenarioFile {
  /// A JSON Schema (draft 2020-12) of the format, for editors: made from the same description that files are read by.
  ///
  /// It says of each value what kind it is and what it looks like. What hangs together in a file is for ``read(_:named:overriding:)`` to
  /// see: names that are referred to, sizes that a machine has, amounts that fit.
  public static var schema: String {
    let head: [(key: String, value: SchemaValue)] = [
      ("$schema", .text("https://json-schema.org/draft/2020-12/schema")), ("title", .text("A Megalith scenario")),
    ]
    let definitions: [(key: String, value: SchemaValue)] = [
      ("$defs", .object([("step", StepForm.step.shape.schema(described: nil))]))
    ]
    guard case .object(let body) = ScenarioForm.form.shape.schema(described: nil) else { return "" }
    return SchemaValue.object(head + body + definitions).text() + "\n"
  }
}

extension Shape {
  /// What the schema says of the shape, beginning with what it is for.
  func schema(described text: String?) -> SchemaValue {
    var entries: [(key: String, value: SchemaValue)] = []
    if let text { entries.append(("description", .text(text))) }
    return .object(entries + keywords)
  }

  private var keywords: [(key: String, value: SchemaValue)] {
    switch self {
    case .text: [("type", .words(["string", "number", "boolean"])), ("pattern", .text("\\S"))]
    case .pattern(let pattern, nil, _, _): [("type", .text("string")), ("pattern", .text(pattern))]
    case .pattern(let pattern, let numbers?, _, _):
      [("type", .words(["string", "integer"])), ("pattern", .text(pattern))] + Shape.bounds(numbers)
    case .integer(let range): [("type", .text("integer"))] + Shape.bounds(range)
    case .hundredths(let range):
      [
        ("type", .text("number")), ("minimum", .number(hundredthsText(range.lowerBound))),
        ("maximum", .number(hundredthsText(range.upperBound))),
      ]
    case .truth: [("type", .text("boolean"))]
    case .yes: [("const", .truth(true))]
    case .words(let words): [("enum", .words(words))]
    case .list(let element, let least):
      [("type", .text("array")), ("items", element.schema(described: nil))]
        + (least > 0 ? [("minItems", .number(UInt64(least)))] : [])
    case .table(let keys, let values):
      [
        ("type", .text("object")), ("propertyNames", keys.keySchema), ("additionalProperties", values.schema(described: nil)),
        ("minProperties", .number(1)),
      ]
    case .object(let object): object.keywords
    case .either(let shapes): [("anyOf", .list(shapes.map { $0.schema(described: nil) }))]
    case .named(let name): [("$ref", .text("#/$defs/" + name))]
    }
  }

  /// Of keys, which are always strings.
  private var keySchema: SchemaValue {
    guard case .pattern(let pattern, _, _, _) = self else { return .object([]) }
    return .object([("pattern", .text(pattern))])
  }

  private static func bounds(_ range: ClosedRange<UInt64>) -> [(key: String, value: SchemaValue)] {
    [("minimum", .number(range.lowerBound)), ("maximum", .number(range.upperBound))]
  }
}

extension ObjectShape {
  fileprivate var keywords: [(key: String, value: SchemaValue)] {
    let required = fields.filter(\.isRequired).map(\.key)
    var keywords: [(key: String, value: SchemaValue)] = [
      ("type", .text("object")),
      ("properties", .object(fields.map { ($0.key, $0.shape.schema(described: $0.text)) })),
    ]
    if !required.isEmpty { keywords.append(("required", .words(required))) }
    keywords.append(("additionalProperties", .truth(false)))
    var needs: [(key: String, value: SchemaValue)] = []
    for rule in rules {
      switch rule {
      case .exactlyOne(let keys): keywords.append(("oneOf", .list(keys.map { .object([("required", .words([$0]))]) })))
      case .atMostOne(let keys):
        let pairs = keys.indices.flatMap { first in keys[(first + 1)...].map { [keys[first], $0] } }
        keywords.append(("allOf", .list(pairs.map { .object([("not", .object([("required", .words($0))]))]) })))
      case .needs(let key, let other): needs.append((key, .words([other])))
      }
    }
    if !needs.isEmpty { keywords.append(("dependentRequired", .object(needs))) }
    return keywords
  }
}
