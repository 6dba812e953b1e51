/// A key of a map, and where its value goes.
struct Field<Root>: Sendable {
  let shape: ObjectShape.Field
  /// False where the value could not be read.
  let read: @Sendable (FileValue, inout Root, inout Reading) -> Bool

  init<Value>(
    _ key: String, _ form: Form<Value>, isRequired: Bool = false, _ text: String,
    _ set: @escaping @Sendable (inout Root, Value) -> Void
  ) {
    shape = ObjectShape.Field(key: key, shape: form.shape, isRequired: isRequired, text: text)
    read = { value, root, reading in
      guard let parsed = form.read(value, &reading) else { return false }
      set(&root, parsed)
      return true
    }
  }

  /// A key of which the form has to know its place as well.
  init<Value>(
    _ key: String, _ form: Form<Value>, isRequired: Bool = false, _ text: String,
    placed set: @escaping @Sendable (inout Root, Value, ScenarioProblem.Source) -> Void
  ) {
    shape = ObjectShape.Field(key: key, shape: form.shape, isRequired: isRequired, text: text)
    read = { value, root, reading in
      guard let parsed = form.read(value, &reading) else { return false }
      set(&root, parsed, value.source)
      return true
    }
  }
}

/// A map that was read: which keys were there, and which of them could be read.
struct ReadObject {
  let value: FileValue
  fileprivate(set) var good: Set<String> = []
  fileprivate(set) var isWhole = true

  func has(_ key: String) -> Bool { value.entries?.contains { $0.key == key } ?? false }

  /// Where the key's value stands; the map's own place where it does not.
  func source(of key: String) -> ScenarioProblem.Source {
    value.entries?.first { $0.key == key }?.value.source ?? value.source
  }
}

extension Form {
  /// A map of known keys. What can be read is read, whatever else is wrong; nil only for what is no map, or where a required key is
  /// not there or cannot be read.
  ///
  /// - Parameter check: sees what was read and can report; nil refuses.
  static func object<Root: Sendable>(
    _ name: String, _ text: String, from start: Root, _ fields: [Field<Root>], rules: [ObjectShape.Rule] = [],
    finish: @escaping @Sendable (Root, ReadObject, inout Reading) -> Value?
  ) -> Form {
    let object = ObjectShape(name: name, text: text, fields: fields.map(\.shape), rules: rules)
    let shape = Shape.object(object)
    return Form(shape) { value, reading in
      guard let entries = value.entries else {
        reading.refuse(value, shape)
        return nil
      }
      var root = start
      var result = ReadObject(value: value)
      for entry in entries {
        guard let field = fields.first(where: { $0.shape.key == entry.key }) else {
          let keys = fields.map(\.shape.key)
          reading.report(
            entry.source, "unknown key \(quote(entry.key))", allowed: keys.joined(separator: ", "),
            suggestion: suggestion(for: entry.key, among: keys))
          result.isWhole = false
          continue
        }
        if field.read(entry.value, &root, &reading) { result.good.insert(entry.key) } else { result.isWhole = false }
      }
      let missing = fields.filter { $0.shape.isRequired && !result.has($0.shape.key) }
      for field in missing {
        reading.report(value.source, "\(name) lacks \(quote(field.shape.key)): \(field.shape.shape.expected)")
      }
      let isLacking = fields.contains { $0.shape.isRequired && !result.good.contains($0.shape.key) }
      let followsRules = object.check(result, &reading)
      guard !isLacking, followsRules else { return nil }
      return finish(root, result, &reading)
    }
  }

  /// The same, where what was read is the value.
  static func object(
    _ name: String, _ text: String, from start: Value, _ fields: [Field<Value>], rules: [ObjectShape.Rule] = [],
    check: @escaping @Sendable (Value, ReadObject, inout Reading) -> Void = { _, _, _ in }
  ) -> Form where Value: Sendable {
    object(name, text, from: start, fields, rules: rules) { value, object, reading in
      check(value, object, &reading)
      return value
    }
  }
}

extension ObjectShape {
  fileprivate func check(_ object: ReadObject, _ reading: inout Reading) -> Bool {
    var isGood = true
    for rule in rules {
      switch rule {
      case .exactlyOne(let keys), .atMostOne(let keys):
        let present = (object.value.entries ?? []).filter { keys.contains($0.key) }
        if present.count > 1 {
          let names = present.map { quote($0.key) }.joined(separator: " and ")
          reading.report(present[1].source, "\(name) has \(names), which exclude each other")
          isGood = false
        }
        // A key that was meant to be one of them has been reported already.
        let hasUnknown = (object.value.entries ?? []).contains { entry in !fields.contains { $0.key == entry.key } }
        if case .exactlyOne = rule, present.isEmpty {
          if !hasUnknown {
            reading.report(object.value.source, "\(name) lacks one of its keys", allowed: keys.joined(separator: ", "))
          }
          isGood = false
        }
      case .needs(let key, let other):
        guard object.has(key), !object.has(other) else { continue }
        let source = object.value.entries?.first { $0.key == key }?.source ?? object.value.source
        reading.report(source, "\(quote(key)) says something of \(quote(other)), which is not there")
        isGood = false
      }
    }
    return isGood
  }
}
