import HostMemory
import MemoryUnits

/// The exit code that fits a reservation's end.
enum ReserveEnd {
  static func check(_ report: ReserveReport, _ options: ReserveOptions) throws(ExitStatus) {
    if let trouble = report.troubles.first {
      throw .failed("\(trouble). The journal stays; repair that and run 'megalith reserve --undo'.")
    }
    if report.isMet { return }
    let counts = report.goals.filter { $0.missing > .zero }.map { outcome in
      "\(outcome.after) of \(outcome.goal.target) \(outcome.goal.size) pages"
    }.joined(separator: ", ")
    let kept = options.rollsBack ? "; what was got and is unused was returned" : ""
    switch report.stop {
    case .interrupted?: throw ExitStatus(code: 130, message: "stopped: the pools hold \(counts)\(kept).")
    case .write(let error)?:
      let status = ExitStatus(error)
      guard status.code == 77, report.goals.allSatisfy({ $0.obtained == .zero }) else {
        throw .inPart("the pools hold \(counts)\(kept): \(error).")
      }
      throw status
    case let stop?: throw .inPart("the pools hold \(counts)\(kept): \(stop).")
    case nil: throw .inPart("the pools hold \(counts)\(kept). What blocks the rest is told above.")
    }
  }
}
