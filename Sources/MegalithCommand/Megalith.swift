import ArgumentParser

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

@main
struct Megalith: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "megalith",
    abstract: "Says how many huge and gigantic pages a Linux host can give, what stands in the way, and gets them.",
    discussion: """
      Without a command it surveys this host. Reading what stands in each range needs root; without, the rest is shown.

      EXIT CODES
         0  done
         1  failed
         2  done in part
        64  wrong usage
        65  damaged input
        66  nothing to read
        77  permission is missing
       130  stopped by the operator

      ENVIRONMENT
        NO_COLOR  if not empty: no colour (nor on a dumb terminal)
      """,
    version: "0.1.0",
    subcommands: [
      SurveyCommand.self, ExplainCommand.self, CaptureCommand.self, ReserveCommand.self, ReleaseCommand.self, PoolsCommand.self,
      PersistCommand.self, WatchCommand.self, MetricsCommand.self, TouchMemoryCommand.self, LayoutCommand.self,
      ModelsCommand.self, RunCommand.self, MergeCommand.self, WhatifCommand.self,
    ],
    defaultSubcommand: SurveyCommand.self)

  static func main() {
    do {
      var command = try parseAsRoot()
      try command.run()
      // What was printed may still be on its way to a full disk.
      if fflush(nil) != 0 { throw ExitStatus.failed("the output could not be written. Give it room.") }
    } catch let status as ExitStatus {
      status.report()
      exit(withError: ExitCode(status.code))
    } catch {
      let code = exitCode(for: error)
      // Help, version and completion scripts are not failures; ArgumentParser prints them as they are.
      guard code == .validationFailure else { exit(withError: error) }
      let reason = message(for: error).split(separator: "\n").joined(separator: " ")
      let names = configuration.subcommands.compactMap { $0.configuration.commandName }
      let command = CommandLine.arguments.dropFirst().first { names.contains($0) }.map { " \($0)" } ?? ""
      ExitStatus.usage("\(reason). See 'megalith\(command) --help'.".replacing("..", with: ".")).report()
      exit(withError: code)
    }
  }
}
