import FrameAllocator
import FrameMap
import MemoryUnits
import PhysicalLayout

/// One thing that is done to a machine. Numbers that pick something count modulo what there is, so that a script means something
/// after any of its steps was dropped.
enum PropertyStep: Hashable, Sendable {
  case allocate(order: UInt8, FrameRequest, cpu: UInt32)
  case free(pick: UInt64, cpu: UInt32)
  case claimFolio(place: UInt64, order: UInt8, FrameMobility)
  case claim(place: UInt64, length: UInt64)
  case release(pick: UInt64)
  case split(pick: UInt64, order: UInt8)
  case tryGet(place: UInt64, cpu: UInt32)
  case put(pick: UInt64, cpu: UInt32)
  case drain
  /// A free that must be refused: of any frame, or near a folio.
  case misuse(place: UInt64, order: UInt8)
  case misuseNear(pick: UInt64, offset: UInt64, order: UInt8)
}

enum PropertyScript {
  static func random(_ count: Int, _ random: inout some RandomNumberGenerator) -> [PropertyStep] {
    // A script fills the machine, or empties it, for a while.
    (0..<count).map { step($0 / 40 % 2 == 0, &random) }
  }

  private static func step(_ isFilling: Bool, _ random: inout some RandomNumberGenerator) -> PropertyStep {
    let cpu = UInt32.random(in: 0..<8, using: &random)
    let any = UInt64.random(in: 0 ... .max, using: &random)
    switch Int.random(in: 0..<100, using: &random) {
    case 0..<(isFilling ? 50 : 20): return .allocate(order: order(&random), request(&random), cpu: cpu)
    case ..<70: return .free(pick: any, cpu: cpu)
    case ..<74:
      return .claimFolio(
        place: any, order: .random(in: 0...14, using: &random), FrameMobility.allCases.randomElement(using: &random) ?? .movable)
    case ..<78: return .claim(place: any, length: .random(in: 1...3000, using: &random))
    case ..<82: return .release(pick: any)
    case ..<86: return .split(pick: any, order: .random(in: 0...12, using: &random))
    case ..<89: return .tryGet(place: any, cpu: cpu)
    case ..<92: return .put(pick: any, cpu: cpu)
    case ..<93: return .drain
    case ..<96: return .misuse(place: any, order: .random(in: 0...12, using: &random))
    default: return .misuseNear(pick: any, offset: .random(in: 0...4, using: &random), order: .random(in: 0...3, using: &random))
    }
  }

  /// Small orders mostly, and now and then what no machine of the suite has.
  private static func order(_ random: inout some RandomNumberGenerator) -> UInt8 {
    switch Int.random(in: 0..<20, using: &random) {
    case 0..<6: 0
    case ..<11: .random(in: 1...5, using: &random)
    case ..<17: .random(in: 6...12, using: &random)
    case ..<19: .random(in: 13...17, using: &random)
    default: .random(in: 18...40, using: &random)
    }
  }

  private static func request(_ random: inout some RandomNumberGenerator) -> FrameRequest {
    // Contiguous areas are rare.
    let mobilities: [FrameMobility] = [.unmovable, .unmovable, .reclaimable, .movable, .movable, .movable, .contiguous]
    return FrameRequest(
      mobilities.randomElement(using: &random) ?? .movable, node: NodeID(.random(in: 0...2, using: &random)),
      isNodeFixed: Int.random(in: 0..<4, using: &random) == 0,
      highestZone: Int.random(in: 0..<4, using: &random) == 0 ? ZoneKind.allCases.randomElement(using: &random) : nil,
      urgency: [.ordinary, .ordinary, .atomic, .emergency, .emergency].randomElement(using: &random) ?? .ordinary)
  }

  /// The shortest script found that still fails, by dropping steps: halves first, then ever smaller pieces.
  static func shrunken<Step>(_ script: [Step], attempts: Int = 400, _ fails: ([Step]) -> Bool) -> [Step] {
    var script = script
    var attempts = attempts
    var size = max(1, script.count / 2)
    while attempts > 0, !script.isEmpty {
      var start = 0
      var hasShrunk = false
      while start < script.count, attempts > 0 {
        attempts -= 1
        let tried = Array(script[..<start] + script[min(script.count, start + size)...])
        if fails(tried) {
          script = tried
          hasShrunk = true
        } else {
          start += size
        }
      }
      if size == 1 && !hasShrunk { break }
      size = max(1, size / 2)
    }
    return script
  }
}
