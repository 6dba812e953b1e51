import Foundation

/// A folder that goes away with its last user.
final class LabFolder {
  private let url = FileManager.default.temporaryDirectory.appending(path: "lab-\(UUID().uuidString)")

  init() throws { try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true) }

  deinit { try? FileManager.default.removeItem(at: url) }

  func path(_ name: String) -> String { url.appending(path: name).path }
}
