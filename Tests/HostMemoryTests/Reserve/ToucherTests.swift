import HostMemory
import MemoryUnits
import TestSupport
import Testing

/// How far a child goes that touches memory: 8 letters are free and 64 were kept back, 2 MiB each.
@Suite struct ToucherTests {
  private func kernel() throws -> SimulatedKernel {
    var drawing = HostDrawing(String(repeating: "Z", count: 64) + "........")
    drawing.kept = [64 * HostDrawing.blockFrames]
    return try SimulatedKernel(drawing)
  }

  private func limits(margin: ByteCount = .zero) -> TouchLimits { TouchLimits(nodes: [NodeID(0)], margin: margin) }

  @Test func everythingIsHandedOver() throws {
    let kernel = try kernel()
    let report = try kernel.touch(limits())
    #expect(report.end == .handedOver && report.touched >= .mebibytes(16))
    #expect(!kernel.picture.contains("m"), "what was touched is released")
  }

  @Test func itStopsAtTheMargin() throws {
    let kernel = try kernel()
    let report = try kernel.touch(limits(margin: .mebibytes(140)))
    #expect(report == TouchReport(touched: .mebibytes(4), end: .margin))
  }

  @Test func itStopsInTime() throws {
    let kernel = try kernel()
    var limits = limits()
    limits.time = .zero
    #expect(try kernel.touch(limits) == TouchReport(touched: .zero, end: .time))
  }

  @Test func itStopsWithItsParent() throws {
    let kernel = try kernel()
    kernel.isInterrupted = true
    #expect(try kernel.touch(limits()) == TouchReport(touched: .zero, end: .interrupted))
  }

  @Test func itStopsAtItsControlGroupsLimit() throws {
    let kernel = try kernel()
    try kernel.folder.write("proc/self/cgroup", "0::/job\n")
    try kernel.folder.write("sys/fs/cgroup/job/memory.max", "3000000\n")
    #expect(try kernel.touch(limits()) == TouchReport(touched: .zero, end: .group))
  }
}
