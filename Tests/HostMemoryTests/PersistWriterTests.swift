import Foundation
import MemoryUnits
import SystemPackage
import TestSupport
import Testing

@testable import HostMemory

/// Files of settings are written all or not at all, and never over somebody else's.
@Suite struct PersistWriterTests {
  private static let all = PersistFile.Kind.allCases
  private let sysctl = PersistFile.path(of: .sysctl)
  private let unit = PersistFile.path(of: .unit)
  private let grub = PersistFile.path(of: .grub)

  private func write(_ pools: String, _ folder: TemporaryFolder, force: Bool = false) throws -> [PersistWriter.Change] {
    let root = Sysroot(folder.path)
    let plan = try PersistPlan(try PoolWish.parse(pools), way: .automatic, on: try PersistHost(of: root))
    return try PersistWriter(plan, kinds: Self.all, below: root, isForced: force).commit()
  }

  private func text(_ path: String, _ folder: TemporaryFolder) -> String? {
    try? String(contentsOfFile: "\(folder.path)/\(path)", encoding: .utf8)
  }

  /// Everything below `etc`, hidden files too.
  private func names(_ folder: TemporaryFolder) -> [String] {
    let paths = FileManager.default.enumerator(atPath: "\(folder.path)/etc")?.compactMap { $0 as? String } ?? []
    return paths.filter { $0.contains("megalith") }.sorted()
  }

  @Test func filesComeAndGoWithThePlan() throws {
    let (folder, _) = try PersistTests.host("x86_64")
    #expect(try write("0:2M:8,1G:2", folder) == [.written(path: unit), .written(path: grub)])
    #expect(try write("0:2M:8,1G:2", folder) == [.unchanged(path: unit), .unchanged(path: grub)])
    #expect(try write("2M:8,1G:3", folder) == [.written(path: sysctl), .removed(path: unit), .written(path: grub)])
    #expect(text(grub, folder)?.contains("hugepages=3") == true)
    #expect(names(folder) == ["default/grub.d/60-megalith-hugepages.cfg", "sysctl.d/60-megalith-hugepages.conf"])
  }

  @Test func whatSomebodyElseWroteStays() throws {
    let (folder, _) = try PersistTests.host("x86_64", "== \(PersistFile.path(of: .sysctl))\nvm.nr_hugepages = 7\n")
    #expect(throws: FileWriteError.foreign(path: sysctl)) { try write("2M:8,1G:2", folder) }
    #expect(names(folder).count == 1)
    // A plan without that file does not mind it.
    #expect(try write("1G:2", folder) == [.written(path: grub)])
    #expect(text(sysctl, folder) == "vm.nr_hugepages = 7\n")
    #expect(try write("2M:8,1G:2", folder, force: true).first == .written(path: sysctl))
    #expect(text(sysctl, folder)?.contains("vm.nr_hugepages = 8") == true)
  }

  @Test func aMaskedUnitStays() throws {
    let (folder, _) = try PersistTests.host("x86_64")
    try FileManager.default.createDirectory(atPath: "\(folder.path)/etc/systemd/system", withIntermediateDirectories: true)
    try FileManager.default.createSymbolicLink(atPath: "\(folder.path)/\(unit)", withDestinationPath: "/dev/null")
    #expect(throws: FileWriteError.foreign(path: unit)) { try write("0:2M:8", folder) }
  }

  /// A folder cannot be replaced, which shows only once other files are in place.
  @Test func aFailureHalfWayPutsEverythingBack() throws {
    let (folder, _) = try PersistTests.host("x86_64")
    _ = try write("2M:8,0:1G:2", folder)
    let before = [text(sysctl, folder), text(grub, folder)]
    try folder.write("\(grub)", "")
    try FileManager.default.removeItem(atPath: "\(folder.path)/\(grub)")
    try folder.write("\(grub)/inside", "x")
    #expect(throws: FileWriteError.self) { try write("2M:9,0:1G:2,1:1G:2", folder, force: true) }
    #expect(text(sysctl, folder) == before[0])
    #expect(text("\(grub)/inside", folder) == "x")
    #expect(names(folder).count == 3, "\(names(folder))")
    // What was removed comes back, and what was new goes.
    #expect(throws: FileWriteError.self) { try write("0:2M:9,1G:2", folder, force: true) }
    #expect(text(sysctl, folder) == before[0] && text(unit, folder) == nil)
  }

  @Test func aDroppedDraftLeavesNothing() throws {
    let folder = try TemporaryFolder()
    try folder.write("target", "old")
    _ = try FileReplacement(of: "\(folder.path)/target", with: "new", draftName: ".draft")
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["target"])
    #expect(text("target", folder) == "old")
    try FileReplacement(of: "\(folder.path)/target", with: "new", draftName: ".draft").commit()
    #expect(text("target", folder) == "new")
    #expect(throws: FileWriteError.missing(path: "\(folder.path)/none/target")) {
      try FileReplacement(of: "\(folder.path)/none/target", with: "", draftName: ".draft").commit()
    }
  }

  @Test func errorsHaveTheirKinds() {
    #expect(FileWriteError(.readOnlyFileSystem, path: "p") == .readOnly(path: "p"))
    #expect(FileWriteError(.notPermitted, path: "p") == .denied(path: "p"))
    #expect(FileWriteError(.notDirectory, path: "p") == .missing(path: "p"))
    #expect(FileWriteError(.noSpace, path: "p") == .failed(path: "p", code: 28))
  }
}
