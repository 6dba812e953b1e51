/// Why a sweep cannot be made.
public enum SweepPlanError: Error, Hashable, Sendable, CustomStringConvertible {
  /// Not `KEY=VALUE,VALUE,...`.
  case noValues(String)
  /// Not a count or a range of seeds.
  case noSeeds(String)
  /// Not a shard, such as `3/8`.
  case noShard(String)
  case keyTwice(String)
  case valueTwice(key: String, value: String)
  /// Seeds are asked for, and `seed` is swept as well.
  case seedsTwice
  case tooManyPoints

  public var description: String {
    switch self {
    case .noValues(let text): "\(quote(text)) is no sweep: KEY=VALUE,VALUE,..."
    case .noSeeds(let text): "\(quote(text)) is neither a count of seeds, such as 20, nor a range of them, such as 5-24"
    case .noShard(let text): "\(quote(text)) is no shard: I/N, with I from 1 to N"
    case .keyTwice(let key): "\(key) is swept twice"
    case .valueTwice(let key, let value): "\(key) has the value \(quote(value)) twice"
    case .seedsTwice: "seed is swept, and seeds are asked for as well"
    case .tooManyPoints: "a sweep has at most \(SweepPlan.mostPoints) points"
    }
  }
}

/// A key of a scenario that a sweep sets, and its values.
public struct SweepKey: Hashable, Sendable {
  /// A path as overrides have it: `machine.policy.group`.
  public var key: String
  public var values: [String]

  public init(_ key: String, values: [String]) {
    self.key = key
    self.values = values
  }

  /// Reads `key=a,b,c`. Commas within brackets, braces and quotes belong to a value: `machine.memory=[16G, 16G],[32G]`.
  public init(parsing text: String) throws(SweepPlanError) {
    guard let equals = text.firstIndex(of: "=") else { throw .noValues(text) }
    key = trim(String(text[..<equals]))
    values = SweepKey.split(String(text[equals...].dropFirst()))
    guard !key.isEmpty, !values.contains("") else { throw .noValues(text) }
  }

  private static func split(_ text: String) -> [String] {
    var parts: [String] = []
    var part = ""
    var depth = 0
    var openQuote: Character?
    for character in text {
      if let quote = openQuote {
        if character == quote { openQuote = nil }
      } else if character == "\"" || character == "'" {
        openQuote = character
      } else if character == "[" || character == "{" {
        depth += 1
      } else if character == "]" || character == "}" {
        depth -= 1
      } else if character == ",", depth <= 0 {
        parts.append(trim(part))
        part = ""
        continue
      }
      part.append(character)
    }
    return parts + [trim(part)]
  }
}

/// Seeds of a sweep, one after the other.
public struct SeedRange: Hashable, Sendable {
  public let first: UInt64
  public let count: Int

  /// Reads a count, which begins at seed 1, or a range with both ends: `20`, `5-24`.
  public init(parsing text: String) throws(SweepPlanError) {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false).map { decimal(String($0)) }
    let bounds: (UInt64?, UInt64?) = parts.count == 2 ? (parts[0], parts[1]) : parts.count == 1 ? (1, parts[0]) : (nil, nil)
    guard let first = bounds.0, let last = bounds.1, last >= first, last - first < UInt64(SweepPlan.mostPoints) else {
      throw .noSeeds(text)
    }
    self.first = first
    count = Int(last - first) + 1
  }

  var text: String { "\(first)-\(first + UInt64(count - 1))" }
}

/// One run of a sweep.
public struct SweepPoint: Hashable, Sendable {
  /// From 1 on.
  public var number: Int
  /// Of the plan's keys, in their order.
  public var values: [String]
  /// Nil for the scenario's own.
  public var seed: UInt64?
}

/// All runs of a sweep, in an order that hangs on nothing but keys, values and seeds: the last key changes faster than the first, and
/// seeds fastest.
public struct SweepPlan: Hashable, Sendable {
  public static let mostPoints = 10_000_000

  public let keys: [SweepKey]
  /// Nil for the scenario's own seed alone.
  public let seeds: SeedRange?
  /// How many points there are.
  public let count: Int

  public init(_ keys: [SweepKey], seeds: SeedRange? = nil) throws(SweepPlanError) {
    var count = seeds?.count ?? 1
    for (index, key) in keys.enumerated() {
      guard !keys[..<index].contains(where: { $0.key == key.key }) else { throw .keyTwice(key.key) }
      guard !key.values.isEmpty else { throw .noValues(key.key) }
      var seen: Set<String> = []
      for value in key.values where !seen.insert(value).inserted { throw .valueTwice(key: key.key, value: value) }
      guard seeds == nil || key.key != "seed" else { throw .seedsTwice }
      let product = count.multipliedReportingOverflow(by: key.values.count)
      guard !product.overflow, product.partialValue <= SweepPlan.mostPoints else { throw .tooManyPoints }
      count = product.partialValue
    }
    self.keys = keys
    self.seeds = seeds
    self.count = count
  }

  /// A point by its number. Traps for a number that is none.
  ///
  /// - Complexity: O(keys).
  public func point(_ number: Int) -> SweepPoint {
    precondition(number >= 1 && number <= count, "a point beyond the sweep")
    var rest = number - 1
    var seed: UInt64?
    if let seeds {
      seed = seeds.first + UInt64(rest % seeds.count)
      rest /= seeds.count
    }
    var values: [String] = []
    for key in keys.reversed() {
      values.append(key.values[rest % key.values.count])
      rest /= key.values.count
    }
    return SweepPoint(number: number, values: values.reversed(), seed: seed)
  }

  /// What a point sets in the scenario's file.
  public func overrides(_ point: SweepPoint) -> [(key: String, value: String)] {
    zip(keys, point.values).map { ($0.key, $1) } + (point.seed.map { [("seed", String($0))] } ?? [])
  }
}

/// A part of a sweep, for one of several processes that know nothing of each other: every n-th point.
public struct Shard: Hashable, Sendable, CustomStringConvertible {
  /// From 1 on.
  public let number: Int
  public let count: Int

  public static let all = Shard(number: 1, count: 1)

  /// Traps for a number above the count or below 1.
  public init(number: Int, count: Int) {
    precondition(number >= 1 && number <= count, "a shard beyond the count")
    self.number = number
    self.count = count
  }

  /// Reads `3/8`.
  public init(parsing text: String) throws(SweepPlanError) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false).map {
      decimal(String($0)).flatMap { Int(exactly: $0) }
    }
    guard parts.count == 2, let number = parts[0], let count = parts[1], number >= 1, number <= count else {
      throw .noShard(text)
    }
    self.init(number: number, count: count)
  }

  public var description: String { "\(number)/\(count)" }

  /// The numbers of its points, rising.
  public func points(of plan: SweepPlan) -> StrideThrough<Int> { stride(from: number, through: plan.count, by: count) }
}
