import MemoryUnits
import Mobility

/// What came of a step.
enum StepOutcome {
  case done(String)
  case inPart(String)
  case failed(String)

  var kind: RunTrace.Event.Outcome {
    switch self {
    case .done: .done
    case .inPart: .inPart
    case .failed: .failed
    }
  }

  var text: String {
    switch self {
    case .done(let text), .inPart(let text), .failed(let text): text
    }
  }
}

extension StepOutcome {
  /// What came of a step that was to fail.
  var asItMustFail: StepOutcome {
    switch self {
    case .done(let text): .failed("was to fail, and came true: " + text)
    case .inPart(let text), .failed(let text): .done("fails, as it must: " + text)
    }
  }
}

/// Obstacles by reason, most first: `slab 12, page table 3`.
func describe(_ obstacles: Obstacles) -> String {
  let parts = Obstacle.allCases.filter { obstacles[$0] > .zero }.sorted { obstacles[$0] > obstacles[$1] }
  return parts.isEmpty ? "nothing in the way" : parts.map { "\(obstacles[$0]) frames \($0)" }.joined(separator: ", ")
}

extension FrameCount {
  /// Its bytes.
  func bytes(_ shift: PageShift) -> ByteCount { ByteCount(self, shift) }
}
