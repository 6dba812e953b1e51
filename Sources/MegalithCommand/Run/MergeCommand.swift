import ArgumentParser
import Lab

struct MergeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "merge",
    abstract: "Puts the results of a sweep's parts together.",
    discussion: """
      FILES are what 'megalith run --results' wrote, in any order, or files that were merged before (Docs/Sweeps.md). Prints a \
      table for each figure: its mean over the seeds, the half width of the mean's 95 % interval, the least and the most.

      EXIT CODES
        0   done
        2   points are missing; what is there was written
        65  files cannot be read, or do not go together

      EXAMPLE
        megalith merge part-*.csv --results all.csv
      """)

  @Argument(help: "Files of results.") var files: [String]
  @Option(help: ArgumentHelp("Write all rows to this CSV file.", valueName: "file")) var results: String?
  @Flag(help: "Print a document of schema megalith.sweep/1.") var json = false

  func run() throws {
    var contents: [(name: String, bytes: [UInt8])] = []
    for file in files { contents.append((file, try UserFile.read(file))) }
    let table: SweepTable
    do throws(SweepMergeError) {
      table = try SweepTable.merging(contents)
    } catch {
      throw ExitStatus(code: 65, message: nil, lines: error.problems.map(\.description))
    }
    if let results { try OutputFile.replace(results, with: table.csv) }
    let summary = SweepSummary(table)
    if json { print(try JSONText.make(summary)) } else { print(summary.text, terminator: "") }
    guard table.missing.isEmpty else {
      throw ExitStatus.inPart("points are missing: \(table.missingText). Run their shards, and merge again.")
    }
  }
}
