import ArgumentParser
import HostMemory
import MemoryUnits
import SystemPackage

struct MetricsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "metrics",
    abstract: "Numbers for Prometheus: pages obtainable, held, and blocked by reason, per node and size.",
    discussion: """
      Once to standard output, or to a file for the textfile collector of node_exporter with --out, which is replaced in one \
      step. With --listen the numbers are served at /metrics until Ctrl-C; a scrape within --max-age seconds of the last \
      survey gets its numbers again. Give a loopback address, or put it behind something that knows who may ask.

      A dashboard and alert rules are in Samples/monitoring.
      """)

  @OptionGroup var host: HostOptions
  @Option(help: ArgumentHelp("Replace this file.", valueName: "file")) var out: String?
  @Option(help: ArgumentHelp("Serve at this address, as 127.0.0.1:9177.", valueName: "address")) var listen: String?
  @Option(help: "Seconds for which a survey's numbers are served again.") var maxAge: UInt32 = 5

  func validate() throws {
    if out != nil, listen != nil { throw ValidationError("--out and --listen exclude each other") }
  }

  func run() throws {
    try host.requireHost()
    if let listen { return try serve(at: listen) }
    let survey = try Self.survey(host.root)
    let text = survey.text
    if let out {
      do throws(FileWriteError) {
        // Readers of the folder take files that end with .prom; the draft does not.
        try FileReplacement(of: out, with: text, draftName: FileReplacement.draftName(for: out)).commit()
      } catch {
        throw ExitStatus(error)
      }
    } else {
      print(text, terminator: "")
    }
    try Surveying.finish(survey.result)
  }

  private static func survey(_ root: Sysroot) throws(ExitStatus) -> (result: Survey, text: String) {
    let clock = ContinuousClock()
    let start = clock.now
    let result = try reading { () throws(HostFileError) in try Survey(of: root) }
    return (result, HostMetrics(result, took: clock.now - start).text())
  }

  private func serve(at address: String) throws(ExitStatus) {
    let root = host.root
    let clock = ContinuousClock()
    let start = clock.now
    let cache = SurveyCache(maxAge: .seconds(Int64(maxAge)), now: { clock.now - start }) { () throws(ExitStatus) in
      try Self.survey(root).text
    }
    let listener: HTTPListener
    do throws(HTTPListener.Failure) {
      listener = try HTTPListener(address)
    } catch {
      throw ExitStatus(error)
    }
    Interruption.watch()
    StandardError.write("megalith: serving /metrics on port \(listener.port); Ctrl-C ends it.\n")
    listener.serve(MetricsResponder(metrics: cache.get)) { Interruption.isRequested }
  }
}

/// The numbers of the last survey, for a while.
final class SurveyCache {
  private let maxAge: Duration
  private let now: () -> Duration
  private let make: () throws(ExitStatus) -> String
  private var last: (text: String, time: Duration)?

  init(maxAge: Duration, now: @escaping () -> Duration, make: @escaping () throws(ExitStatus) -> String) {
    self.maxAge = maxAge
    self.now = now
    self.make = make
  }

  /// Failures are not kept: the next call tries again.
  func get() -> Result<String, ExitStatus> {
    if let last, now() - last.time <= maxAge { return .success(last.text) }
    do throws(ExitStatus) {
      let text = try make()
      last = (text, now())
      return .success(text)
    } catch {
      return .failure(error)
    }
  }
}

extension ExitStatus {
  init(_ failure: HTTPListener.Failure) {
    switch failure {
    case .address(let text): self = .usage("'\(text)' is not an address and port, as 127.0.0.1:9177 is.")
    case .inUse(let text): self = .failed("\(text) is in use. Name another port.")
    case .denied(let text): self = .noPermission("\(text) may not be listened on. Name a port above 1023.")
    case .failed(let text, let code): self = .failed("\(text) cannot be listened on: error \(code).")
    }
  }
}
