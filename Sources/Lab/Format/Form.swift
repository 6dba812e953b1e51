/// How something is written in a file: its shape, and how it is read. A form that reads nil has reported why.
struct Form<Value>: Sendable {
  let shape: Shape
  let read: @Sendable (FileValue, inout Reading) -> Value?

  init(_ shape: Shape, read: @escaping @Sendable (FileValue, inout Reading) -> Value?) {
    self.shape = shape
    self.read = read
  }

  /// A form of scalars: `parse` gives nil for what is none.
  init(_ shape: Shape, parse: @escaping @Sendable (String) -> Value?) {
    self.init(shape) { value, reading in
      guard let text = value.text, let parsed = parse(text) else {
        reading.refuse(value, shape)
        return nil
      }
      return parsed
    }
  }

  /// The same text read as something else.
  func map<Other>(_ transform: @escaping @Sendable (Value) -> Other) -> Form<Other> {
    Form<Other>(shape) { value, reading in read(value, &reading).map(transform) }
  }

  /// With a check of what was read, which reports on its own and refuses by false.
  func checked(_ check: @escaping @Sendable (Value, FileValue, inout Reading) -> Bool) -> Form {
    Form(shape) { value, reading in
      guard let parsed = read(value, &reading), check(parsed, value, &reading) else { return nil }
      return parsed
    }
  }

  /// One of several forms: the first whose kind of value is there. Of scalars, words come before what is parsed.
  static func either(_ forms: [Form]) -> Form {
    let shape = Shape.either(forms.map(\.shape))
    return Form(shape) { value, reading in
      guard let form = forms.first(where: { $0.shape.takes(value) }) else {
        reading.refuse(value, shape)
        return nil
      }
      let before = reading.problems.count
      if let parsed = form.read(value, &reading) { return parsed }
      // What did not fit one form could have been any of them.
      if reading.problems.count == before + 1, reading.problems[before].allowed == form.shape.expected {
        reading.problems.removeLast()
        reading.refuse(value, shape)
      }
      return nil
    }
  }

  static func list<Element>(_ element: Form<Element>, least: Int = 1) -> Form where Value == [Element] {
    let shape = Shape.list(element.shape, least: least)
    return Form(shape) { value, reading in
      guard let values = value.list else {
        reading.refuse(value, shape)
        return nil
      }
      if values.count < least { reading.report(value.source, "the list is empty", allowed: shape.expected) }
      let elements = values.map { element.read($0, &reading) }
      return elements.contains { $0 == nil } || values.count < least ? nil : elements.compactMap { $0 }
    }
  }

  /// A map whose keys the file's writer chooses, in the file's order. What cannot be read is left out.
  static func table<Key, Element>(_ key: Form<Key>, _ element: Form<Element>) -> Form
  where Value == [(key: Key, value: Element)] {
    let shape = Shape.table(keys: key.shape, values: element.shape)
    return Form(shape) { value, reading in
      guard let entries = value.entries else {
        reading.refuse(value, shape)
        return nil
      }
      if entries.isEmpty { reading.report(value.source, "the map is empty", allowed: shape.expected) }
      return entries.compactMap { entry in
        let keyRead = key.read(FileValue(.scalar(entry.key, .quoted), entry.source), &reading)
        let valueRead = element.read(entry.value, &reading)
        guard let keyRead, let valueRead else { return nil }
        return (keyRead, valueRead)
      }
    }
  }
}

extension Shape {
  /// Whether a value is of the shape's kind; whether it can be read is for its form to see.
  func takes(_ value: FileValue) -> Bool {
    switch self {
    case .text, .pattern: value.text != nil
    case .integer: value.plainText.map { decimal($0) != nil } ?? false
    case .hundredths: value.plainText.map { readHundredths($0) != nil } ?? false
    case .truth: ["true", "false"].contains(value.plainText)
    case .yes: value.plainText == "true"
    case .words(let words): value.text.map { words.contains($0) } ?? false
    case .list: value.list != nil
    case .table, .object: value.entries != nil
    case .either(let shapes): shapes.contains { $0.takes(value) }
    case .named: true
    }
  }
}

/// A whole number as files write it: digits without a sign, and without zeroes before them.
func decimal(_ text: String) -> UInt64? {
  let digits = text.utf8
  guard !digits.isEmpty, digits.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), digits.count == 1 || digits.first != 0x30 else {
    return nil
  }
  return UInt64(text)
}
