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
    #expect(throws: HostFileError.self) { try Survey(of: Sysroot(host.path)) }
    try whole.prefix(whole.count / 2).write(to: url)
    do throws(HostFileError) {
      _ = try Survey(of: Sysroot(host.path))
      Issue.record("accepted")
    } catch {
      #expect(error.description == "proc/kpageflags: ends at frame 0x800 and memory at frame 0x1000: cut off")
    }
  }
}
