import HostMemory
import MemoryUnits
import PhysicalLayout
import TestSupport
import Testing

/// What an operator may write, and what is made of it.
@Suite struct RequestTests {
  private func parse(_ text: String) -> Result<[PoolRequest], PoolRequestError> {
    do throws(PoolRequestError) { return .success(try PoolRequest.parse(text)) } catch { return .failure(error) }
  }

  @Test(arguments: ["1G:16", "1G:+4", "2M:512", "0:1G:8,1:1G:8", "64K:0"])
  func requestsAreReadAsTheyPrint(text: String) {
    #expect(parse(text).map { $0.map(\.description).joined(separator: ",") } == .success(text))
  }

  @Test(arguments: [
    ("1G", PoolRequestError.form("1G")), ("", .form("")), ("1:2:3:4", .form("1:2:3:4")), ("1G:2,", .form("")),
    ("x:1G:1", .node("x")), ("3G:1", .size("3G")), ("G:1", .size("G")), ("1G:", .count("")), ("1G:-1", .count("-1")),
    ("1G:++1", .count("++1")), ("1G:99999999999", .count("99999999999")), ("1G:1.5", .count("1.5")),
  ])
  func whatIsNoRequestIsTold(text: String, error: PoolRequestError) {
    #expect(parse(text) == .failure(error))
  }

  private func refusal(_ text: String, _ trial: ReserveTrial) -> ReserveError? {
    do throws(ReserveError) {
      guard case .success(let requests) = parse(text) else { return nil }
      _ = try Reservation(requests, options: trial.options, of: trial.kernel.root)
      return nil
    } catch {
      return error
    }
  }

  @Test func requestsMustFitTheHost() throws {
    let trial = try ReserveTrial("........|........", nodes: [0, 1])
    let sizes = [SimulatedKernel.huge, SimulatedKernel.gigantic]
    let gibibyte = PageSize(shift: PageShift(30))
    #expect(refusal("1G:1", trial) == .request(.unknownSize(gibibyte, known: sizes)))
    #expect(refusal("4:2M:1", trial) == .request(.unknownNode(NodeID(4), known: [NodeID(0), NodeID(1)])))
    #expect(refusal("2M:1,2M:2", trial) == .request(.ambiguous(SimulatedKernel.huge)))
    #expect(refusal("2M:1,0:2M:2", trial) == .request(.ambiguous(SimulatedKernel.huge)))
    #expect(refusal("0:2M:1,0:2M:2", trial) == .request(.ambiguous(SimulatedKernel.huge)))
    #expect(refusal("0:2M:1,1:2M:2,16M:1", trial) == nil)
  }

  @Test func pagesAreReleasedWhereMostAreFree() throws {
    let trial = try ReserveTrial("GgggggggGgggggggGggggggg|Gggggggg", nodes: [0, 1])
    try trial.kernel.use(1, on: 0)
    let release = try PoolRelease(try PoolRequest.parse("16M:2"), of: trial.kernel.root)
    let report = release.run(through: trial.kernel)
    #expect(report.stop == nil && report.pools.map(\.after) == [HugePageCount(1)])
    #expect(trial.kernel.pages(SimulatedKernel.gigantic, on: 0) == 1)
    let rest = try PoolRelease(try PoolRequest.parse("16M:5"), of: trial.kernel.root)
    #expect(rest.plans.first?.released == HugePageCount(1))
    let node = try PoolRelease(try PoolRequest.parse("0:16M:1"), of: trial.kernel.root)
    #expect(node.plans.first?.released == .zero)
  }

  @Test func aReleaseStopsWhereAPoolChanged() throws {
    let trial = try ReserveTrial("GgggggggGggggggg")
    let release = try PoolRelease(try PoolRequest.parse("16M:1"), of: trial.kernel.root)
    try trial.kernel.interfere(SimulatedKernel.gigantic, node: 0, to: 1)
    let report = release.run(through: trial.kernel)
    let path = ReserveTrial.poolPath(SimulatedKernel.gigantic, 0)
    #expect(report.stop == .otherWriter(path: path, expected: HugePageCount(2), found: HugePageCount(1)))
    #expect(trial.kernel.writes.isEmpty)
  }

  @Test func promisedPagesAreNotReleased() throws {
    let trial = try ReserveTrial("HHHH....")
    trial.kernel.promised = 3
    try trial.kernel.use(0, on: 0)
    #expect(try PoolRelease(try PoolRequest.parse("2M:4"), of: trial.kernel.root).plans.first?.released == HugePageCount(1))
  }
}
