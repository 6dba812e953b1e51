import Glibc

extension LabRandom {
  /// How long a folio has left that is met at a moment without choice: the longer one lives, the likelier it is met. Nil for one that
  /// stays.
  mutating func drawRest(_ lifetime: Lifetime, tick: Seconds) -> UInt32? {
    let seconds: Double
    switch lifetime {
    // What has no memory of its age.
    case .forever, .exponential: return draw(lifetime, tick: tick)
    case .fixed(let time): seconds = fraction() * Double(time.rawValue)
    case .uniform(let least, let most):
      let (short, long) = (Double(least.rawValue), Double(most.rawValue))
      let place = fraction() * (short + long) / 2
      seconds = place <= short ? place : long - max(2 * (long - short) * ((short + long) / 2 - place), 0).squareRoot()
    case .pareto(let least, let hundredths, let most):
      // What is left is as likely to be of a length as folios are to live at least so long.
      let (short, long) = (Double(max(least.rawValue, 1)), Double(max(most.rawValue, 1)))
      let power = 1 - Double(hundredths) / 100
      let isEven = abs(power) < 1e-9
      let ratio = max(long / short, 1)
      let tail = short * (isEven ? log(ratio) : (pow(ratio, power) - 1) / power)
      let place = fraction() * (short + tail)
      let beyond = (place - short) / short
      seconds =
        place <= short
        ? place : short * (isEven ? exp(beyond) : pow(1 + beyond * power, 1 / power))
    }
    return UInt32(min(max(seconds / Double(tick.rawValue), 1), Double(TimeWheel.horizon)))
  }
}
