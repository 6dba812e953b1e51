/// What a mapping lets its space do.
public struct Protection: OptionSet, Hashable, Sendable {
  public let rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }
  public static var read: Protection { Protection(rawValue: 1) }
  public static var write: Protection { Protection(rawValue: 2) }
}
