import ArgumentParser
import HostMemory
import MemoryUnits

struct SurveyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "survey",
    abstract: "How many huge and gigantic pages the host can give now, and what would give more.",
    discussion: """
      Every naturally aligned range of a page's size gets one verdict: held, free, movable (frames move first), blocked or \
      excluded. "Obtainable now" is what the kernel would give if asked, each page certain, likely or unknown by how well \
      the data support it. Nothing on the host is changed.

      With --engine the engine makes a machine of the host, every frame in the state that it has, and takes all pages of each \
      size from it: what can be had together, where the survey judges each range by itself.
      """)

  @OptionGroup var host: HostOptions
  @OptionGroup var sizeOption: SizeOption
  @Flag(help: "Print a document of schema megalith.survey/1.") var json = false
  @Flag(help: "Also make a machine of the host, and tell what it gives.") var engine = false

  func run() throws {
    try host.requireHost()
    let survey = try Surveying.run(host, sizeOption)
    let predictions = engine ? try Surveying.predictions(survey, host) : []
    if json {
      print(try JSONText.make(SurveyDocument(survey, predictions)))
    } else {
      for line in SurveyScreen(survey, Terminal.output, predictions).lines() { print(line) }
    }
    try Surveying.finish(survey)
  }
}

/// What survey and explain have in common.
enum Surveying {
  static func run(_ host: HostOptions, _ sizeOption: SizeOption) throws -> Survey {
    let line = ProgressLine("scanning")
    defer { line.clear() }
    let sizes = try reading { () throws(HostFileError) in try Survey.sizes(of: host.root) }
    let wanted = try sizeOption.resolved(among: sizes)
    return try reading { () throws(HostFileError) in
      try Survey(of: host.root, sizes: wanted.map { [$0] }) { (frame, end) throws(HostFileError) in
        line.show(frame, of: end)
      }
    }
  }

  /// What a machine of the host gives, of each size that was surveyed, from a machine of its own.
  static func predictions(_ survey: Survey, _ host: HostOptions) throws -> [MachinePrediction] {
    var predictions: [MachinePrediction] = []
    for result in survey.sizes {
      do throws(CapturedMachineError) {
        predictions.append(try survey.machinePrediction(result.size, of: host.root))
      } catch {
        throw ExitStatus(error)
      }
    }
    return predictions
  }

  /// Ends with the code that fits what could not be read.
  static func finish(_ survey: Survey) throws {
    switch survey.framesError {
    case nil: return
    case .denied(let path)?:
      throw ExitStatus.noPermission("\(path) may not be read, so ranges have no verdicts. Run as root.")
    case .missing(let path)? where path != "proc/kpageflags":
      throw ExitStatus.inPart("\(path) is not there, so ranges have no verdicts. Name another root with --sysroot.")
    case .missing(let path)?:
      throw ExitStatus.inPart("\(path) is not there, so ranges have no verdicts. The kernel needs CONFIG_PROC_PAGE_MONITOR.")
    case let error?: throw ExitStatus(error)
    }
  }
}
