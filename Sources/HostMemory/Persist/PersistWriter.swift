#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

import FoundationEssentials
import SystemPackage

/// Puts the files of a plan below a root: all of them, or none.
public struct PersistWriter {
  /// What became of one file.
  public enum Change: Sendable, Hashable {
    case written(path: String)
    /// A file of an earlier run that the plan does not need.
    case removed(path: String)
    case unchanged(path: String)
  }

  private struct Step {
    let path: String
    let text: String?
    let before: Before
  }

  private enum Before: Equatable {
    case absent
    /// A file of an earlier run.
    case ours(String)
    case foreign
  }

  private let root: Sysroot
  private let steps: [Step]

  /// Checks that nothing of somebody else's would be lost; writes nothing.
  ///
  /// - Parameters:
  ///   - kinds: the files to bring up to date; others are left alone.
  ///   - isForced: takes files that somebody else wrote.
  public init(
    _ plan: PersistPlan, kinds: [PersistFile.Kind], below root: Sysroot, isForced: Bool
  ) throws(FileWriteError) {
    self.root = root
    var steps: [Step] = []
    for file in plan.files where kinds.contains(file.kind) {
      let state = try Self.state(of: file.path, below: root)
      switch (state, file.text) {
      // What somebody else wrote where the plan needs nothing is none of our business.
      case (.absent, nil), (.foreign, nil): continue
      case (.foreign, _?) where !isForced: throw .foreign(path: file.path)
      case (_, let text): steps.append(Step(path: file.path, text: text, before: state))
      }
    }
    self.steps = steps
  }

  /// Writes each file beside its place, then moves all of them there.
  ///
  /// - Throws: after putting back what was there, where one cannot be moved.
  public func commit() throws(FileWriteError) -> [Change] {
    for step in steps where step.text != nil { try makeFolder(of: step.path) }
    // Drafts first: most of what can fail fails here, with nothing changed.
    for step in steps { if let text = step.text { _ = try replacement(of: step.path, text) } }
    var changes: [Change] = []
    for (index, step) in steps.enumerated() {
      do throws(FileWriteError) {
        changes.append(try apply(step))
      } catch {
        for done in steps[..<index].reversed() { putBack(done) }
        throw error
      }
    }
    for step in steps { unlink(backup(of: step)) }
    return changes
  }

  private func isUnchanged(_ step: Step) -> Bool { step.text.map { step.before == .ours($0) } ?? false }

  private func target(_ step: Step) -> String { root.folder.appending(step.path).string }

  /// A second name for what was there, until all is done.
  private func backup(of step: Step) -> String {
    let target = target(step)
    return FilePath(target).removingLastComponent().appending(FileReplacement.draftName(for: target) + ".before").string
  }

  private func apply(_ step: Step) throws(FileWriteError) -> Change {
    if isUnchanged(step) { return .unchanged(path: step.path) }
    let backup = backup(of: step)
    if step.before != .absent {
      unlink(backup)
      guard link(target(step), backup) == 0 else { throw FileWriteError(Errno(rawValue: errno), path: step.path) }
    }
    guard let text = step.text else {
      guard unlink(target(step)) == 0 else {
        let error = FileWriteError(Errno(rawValue: errno), path: step.path)
        unlink(backup)
        throw error
      }
      return .removed(path: step.path)
    }
    do throws(FileWriteError) {
      try replacement(of: step.path, text).commit()
    } catch {
      unlink(backup)
      throw error
    }
    return .written(path: step.path)
  }

  private func putBack(_ step: Step) {
    guard !isUnchanged(step) else { return }
    if step.before == .absent { unlink(target(step)) } else { rename(backup(of: step), target(step)) }
  }

  private func replacement(of path: String, _ text: String) throws(FileWriteError) -> FileReplacement {
    let target = root.folder.appending(path).string
    return try FileReplacement(of: target, with: text, name: path, draftName: FileReplacement.draftName(for: target))
  }

  private func makeFolder(of path: String) throws(FileWriteError) {
    let folder = root.folder.appending(path).removingLastComponent().string
    guard !FileManager.default.fileExists(atPath: folder) else { return }
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch let error as CocoaError where error.code == .fileWriteVolumeReadOnly {
      throw .readOnly(path: path)
    } catch let error as CocoaError where error.code == .fileWriteNoPermission {
      throw .denied(path: path)
    } catch {
      throw .missing(path: path)
    }
  }

  private static func state(of path: String, below root: Sysroot) throws(FileWriteError) -> Before {
    let full = root.folder.appending(path).string
    // A link is the operator's (a masked unit is one), wherever it leads.
    if (try? FileManager.default.destinationOfSymbolicLink(atPath: full)) != nil { return .foreign }
    guard FileManager.default.fileExists(atPath: full) else { return .absent }
    let text: String
    do throws(HostFileError) {
      text = try read(path, below: root)
    } catch {
      if case .denied = error { throw .denied(path: path) }
      return .foreign
    }
    return text.hasPrefix(PersistFile.mark) ? .ours(text) : .foreign
  }

  private static func read(_ path: String, below root: Sysroot) throws(HostFileError) -> String {
    String(decoding: try root.read(path, limit: 1 << 20), as: UTF8.self)
  }
}
