/// Why files of results do not go together.
public struct SweepMergeError: Error, Hashable, Sendable, CustomStringConvertible {
  /// Never empty.
  public let problems: [SweepDataProblem]

  /// A line for each.
  public var description: String { problems.map(\.description).joined(separator: "\n") }
}

extension SweepTable {
  /// Puts the files of shards together. What is missing is no error: see ``missing``. A file that was stopped within a row counts up to
  /// the row before.
  ///
  /// - Parameter files: their names, for messages, and what they hold.
  /// - Throws: ``SweepMergeError`` with all that is wrong: files that cannot be read, of different sweeps, with other columns, or with
  ///   a point twice.
  /// - Complexity: O(rows * log rows).
  public static func merging(_ files: [(name: String, bytes: [UInt8])]) throws(SweepMergeError) -> SweepTable {
    var problems: [SweepDataProblem] = []
    var first: (name: String, content: SweepFileContent)?
    var places: [Int: (file: String, line: Int)] = [:]
    var rows: [SweepRow] = []
    for file in files {
      let content: SweepFileContent?
      do throws(SweepDataProblem) {
        content = try SweepFileContent(file.bytes)
      } catch {
        problems.append(SweepDataProblem(line: error.line, error.text, file: file.name))
        continue
      }
      // A shard that was stopped before its first row, or that has no point, brings nothing.
      guard let content, !content.rows.isEmpty else { continue }
      if let first {
        if let difference = content.difference(from: first.content) {
          problems.append(SweepDataProblem("\(difference) than in \(first.name)", file: file.name))
          continue
        }
      } else {
        first = (file.name, content)
      }
      for (row, line) in zip(content.rows, content.lines) {
        if let other = places[row.point] {
          problems.append(
            SweepDataProblem(line: line, "point \(row.point) is also in \(other.file), line \(other.line)", file: file.name))
        } else {
          places[row.point] = (file.name, line)
          rows.append(row)
        }
      }
    }
    if first == nil, problems.isEmpty { problems.append(SweepDataProblem("no file has a result in it")) }
    guard let first, problems.isEmpty else { throw SweepMergeError(problems: problems) }
    return SweepTable(identity: first.content.identity, rows: rows.sorted { $0.point < $1.point })
  }
}

extension SweepFileContent {
  fileprivate func difference(from other: SweepFileContent) -> String? {
    if identity.keys != other.identity.keys { return "other keys" }
    if identity != other.identity { return "another scenario or another sweep" }
    let columns = rows.first?.columns ?? []
    let others = other.rows.first?.columns ?? []
    return columns == others ? nil : "other figures"
  }
}

extension SweepRow {
  /// Names and units of its figures.
  var columns: [String] { figures.map { "\($0.name):\($0.unit.rawValue)" } }

  /// Rows of a table have the same figures, or these had no columns.
  func checkColumns(of first: SweepRow) throws(SweepFileError) {
    guard first.columns != columns else { return }
    throw .otherFigures(
      point: point, missing: first.columns.filter { !columns.contains($0) }, more: columns.filter { !first.columns.contains($0) })
  }
}
