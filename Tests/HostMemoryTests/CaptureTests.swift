import Foundation
import HostMemory
import MemoryUnits
import TestSupport
import Testing

@Suite struct CaptureTests {
  private func capture(_ root: String, stopAt: Int = .max) throws -> (TemporaryFolder, String) {
    let folder = try TemporaryFolder()
    let path = folder.path + "/capture"
    var asked = 0
    _ = try HostCapture.make(
      of: Sysroot(root), into: path,
      isStopped: {
        asked += 1
        return asked > stopAt
      }, progress: { _, _ in })
    return (folder, path)
  }

  @Test(arguments: ["...m....|..s.ZZ..........", "GgggggggHHHH....|  ..u...kzc..t.op"])
  func aCaptureGetsTheSameVerdictsAsItsHost(picture: String) throws {
    var drawing = HostDrawing(picture)
    drawing.onLists = [0, 700]
    let host = try drawing.write()
    let (folder, path) = try capture(host.path)
    for size in [VerdictTests.gigantic, VerdictTests.huge] {
      let original = try Survey(of: Sysroot(host.path), sizes: [size]).sizes[0]
      let copy = try Survey(of: Sysroot(path), sizes: [size]).sizes[0]
      #expect(VerdictTests.letters(copy) == VerdictTests.letters(original))
      #expect(copy.obtainable == original.obtainable && copy.reasons == original.reasons)
    }
    withExtendedLifetime(folder) {}
  }

  @Test func aCaptureHoldsNothingPrivate() throws {
    let host = try HostDrawing("........").write()
    try host.write("proc/cmdline", "root=/dev/secret hugepagesz=1G hugepages=2 -- --token=secret\n")
    try host.write("proc/version", "Linux version 6.1.0 (secret@secret) (gcc) #1 SMP secret\n")
    try host.write(
      "proc/iomem",
      """
      00000000-00000fff : Reserved
      00001000-00ffffff : System RAM
        00301000-00609987 : Kernel code
        00701000-00809987 : Kernel data
      c0000000-c0ffffff : 0000:00:01.0 secret
        c0000000-c00fffff : secret

      """)
    try host.write("proc/7/status", "Name:\tdatabase\nVmLck:\t4 kB\nVmPTE:\t8 kB\nUid:\tsecret\n")
    try host.write("proc/7/cmdline", "database --password secret")
    let (folder, path) = try capture(host.path)
    let files = try #require(FileManager.default.enumerator(atPath: path))
    for case let name as String in files {
      let text = (try? String(contentsOfFile: "\(path)/\(name)", encoding: .utf8)) ?? ""
      #expect(!text.contains("secret"), "\(name)")
    }
    func text(_ name: String) throws -> String { try String(contentsOfFile: "\(path)/\(name)", encoding: .utf8) }
    #expect(try text("proc/cmdline") == "hugepagesz=1G hugepages=2\n")
    #expect(try text("proc/version") == "Linux version 6.1.0\n")
    #expect(
      try text("proc/iomem") == """
        00000000-00000fff : Reserved
        00001000-00ffffff : System RAM
          00200000-009fffff : Kernel
        c0000000-c0ffffff : device

        """)
    withExtendedLifetime(folder) {}
  }

  @Test func aCaptureOfACaptureIsTheSame() throws {
    var drawing = HostDrawing("...ZZ...y.......")
    drawing.onLists = [1024]
    drawing.mapped = [3 * 512 + 7]
    let host = try drawing.write()
    try host.write("proc/iomem", "00000000-01ffffff : System RAM\n  00301000-00609987 : Kernel code\n")
    let (first, path) = try capture(host.path)
    let (second, copy) = try capture(path)
    for name in ["proc/kpageflags.runs", "proc/kpagecount.runs", "proc/iomem", "proc/zoneinfo", "megalith-capture"] {
      #expect(
        try Data(contentsOf: URL(fileURLWithPath: "\(copy)/\(name)")) == Data(contentsOf: URL(fileURLWithPath: "\(path)/\(name)"))
      )
    }
    #expect(VerdictTests.letters(try Survey(of: Sysroot(copy), sizes: [VerdictTests.gigantic]).sizes[0]) == "BB")
    withExtendedLifetime((first, second)) {}
  }

  @Test func aFolderOfASimilarNameIsLeftAlone() throws {
    let host = try HostDrawing("........").write()
    let folder = try TemporaryFolder()
    try folder.write("capture.partial/data", "precious")
    _ = try HostCapture.make(of: Sysroot(host.path), into: folder.path + "/capture", isStopped: { false }, progress: { _, _ in })
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == ["capture", "capture.partial"])
  }

  /// Files cut at the end of a line, where nothing in the line itself tells.
  @Test(arguments: ["proc/zoneinfo", "proc/iomem", "sys/devices/system/memory/blocks.runs"])
  func reportsCutAtALinesEndAreRefused(path: String) throws {
    let sample = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("Samples/two-nodes-4g").path
    let folder = try TemporaryFolder()
    try FileManager.default.copyItem(atPath: sample, toPath: folder.path + "/host")
    let lines = try String(contentsOfFile: "\(sample)/\(path)", encoding: .utf8).split(separator: "\n")
    for kept in stride(from: 0, to: lines.count - 1, by: max(1, lines.count / 12)) {
      let cut = lines[..<kept].map { $0 + "\n" }.joined()
      // What is behind the last memory, or the last zone, is not missed.
      if path == "proc/iomem", cut.contains("100000000-13fffffff") { continue }
      if path == "proc/zoneinfo", cut.contains("start_pfn:           1048576") { continue }
      try folder.write("host/\(path)", cut)
      #expect(throws: HostFileError.self, "\(kept) lines") { _ = try Survey(of: Sysroot(folder.path + "/host")).sizes.count }
    }
  }

  @Test func aStoppedCaptureLeavesNothing() throws {
    let host = try HostDrawing("...m....").write()
    let folder = try TemporaryFolder()
    #expect(throws: HostCapture.Failure.self) {
      try HostCapture.make(
        of: Sysroot(host.path), into: folder.path + "/capture", isStopped: { true }, progress: { _, _ in })
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
  }

  @Test func aFolderInUseIsLeftAlone() throws {
    let host = try HostDrawing("........").write()
    let folder = try TemporaryFolder()
    try folder.write("capture/mine", "x")
    #expect(throws: HostCapture.Failure.self) {
      try HostCapture.make(of: Sysroot(host.path), into: folder.path + "/capture", isStopped: { false }, progress: { _, _ in })
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["capture"])
  }

  @Test(arguments: [
    ("megalith.kpageflags/1\n4096 400\n", "ends at frame 4096 without an end: cut off"),
    ("megalith.kpageflags/1\n4096 400\nend 4095\n", "runs make 4096 frames, not 4095"),
    ("megalith.kpageflags/1\n4096 40x\n", "not a run of frames"),
    ("megalith.kpageflags/1\n18446744073709551615 400\n", "not a run of frames"),
    ("megalith.kpageflags/2\n", "not a capture of frame flags"),
    ("", "ends at frame 0 without an end: cut off"),
  ])
  func damagedRunsAreRefused(text: String, reason: String) throws {
    let host = try HostDrawing("........").write()
    try host.write("proc/kpageflags.runs", text)
    do throws(HostFileError) {
      _ = try Survey(of: Sysroot(host.path))
      Issue.record("accepted")
    } catch {
      guard case .damaged("proc/kpageflags.runs", _, reason) = error else {
        Issue.record("\(error)")
        return
      }
    }
  }

  @Test func cutWordsAreRefused() throws {
    let host = try HostDrawing("........").write()
    let url = URL(fileURLWithPath: host.path + "/proc/kpageflags")
    let whole = try Data(contentsOf: url)
    try whole.prefix(whole.count - 3).write(to: url)
    #expect(throws: HostFileError.self) { _ = try Survey(of: Sysroot(host.path)).sizes.count }
    try whole.prefix(whole.count / 2).write(to: url)
    do throws(HostFileError) {
      _ = try Survey(of: Sysroot(host.path))
      Issue.record("accepted")
    } catch {
      #expect(error.description == "proc/kpageflags: ends at frame 0x800 and memory at frame 0x1000: cut off")
    }
  }
}
