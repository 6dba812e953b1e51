import Glibc

/// A seeded stream of numbers. Streams of other numbers of the same seed are independent, so that one more client changes nothing
/// for the others.
struct LabRandom: RandomNumberGenerator, Hashable, Sendable {
  private var state: UInt64

  init(seed: UInt64, stream: UInt64) {
    state = seed
    let first = next()
    state = first ^ (stream &* 0xd134_2543_de82_ef95)
    _ = next()
  }

  /// SplitMix64, by Steele, Lea and Flood.
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }

  /// A number below `limit`, which is not zero; that small limits are not exactly even shows nowhere.
  mutating func below(_ limit: UInt64) -> UInt64 { next().multipliedFullWidth(by: limit).high }

  /// A number above 0 and at most 1.
  mutating func fraction() -> Double { Double((next() >> 11) + 1) / 9_007_199_254_740_992 }

  /// How long a folio lives, in ticks; nil for one that stays.
  mutating func draw(_ lifetime: Lifetime, tick: Seconds) -> UInt32? {
    let seconds: Double
    switch lifetime {
    case .forever: return nil
    case .fixed(let time): seconds = Double(time.rawValue)
    case .uniform(let least, let most): seconds = Double(least.rawValue + below(most.rawValue - least.rawValue + 1))
    case .exponential(let mean): seconds = -log(fraction()) * Double(mean.rawValue)
    case .pareto(let least, let hundredths, let most):
      let drawn = Double(max(least.rawValue, 1)) * pow(fraction(), -100 / Double(hundredths))
      seconds = min(drawn, Double(most.rawValue))
    }
    return UInt32(min(max(seconds / Double(tick.rawValue), 1), Double(TimeWheel.horizon)))
  }
}
