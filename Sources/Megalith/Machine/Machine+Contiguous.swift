public import FrameAllocator
import FrameContents
public import FrameMap
public import MemoryUnits
public import Mobility

extension Machine {
  /// What moving folios of `owner` needs.
  public func migration<Owner>(
    of owner: Owner, on cpu: CPUIndex = CPUIndex(0)
  ) -> MigrationContext<Owner, Storage.Mover> {
    MigrationContext(owner: owner, contents: contents, mover: Storage.Mover.self, cpu: cpu)
  }

  /// A folio of any order. See ``FrameAllocator/ZoneSet/contiguousBlock(_:_:_:kind:with:shouldGoOn:)``.
  public borrowing func contiguousBlock<Owner: FolioOwner>(
    _ order: Order, _ request: FrameRequest, _ policy: ContiguousPolicy = ContiguousPolicy(), kind: FrameKind = .ordinary,
    owner: Owner, on cpu: CPUIndex = CPUIndex(0), shouldGoOn: () -> Bool = { true }
  ) throws(ContiguousError) -> Folio {
    let folio = try zones.contiguousBlock(
      order, request, policy, kind: kind, with: migration(of: owner, on: cpu), shouldGoOn: shouldGoOn)
    checkStep()
    return folio
  }

  /// Exactly these frames. See ``FrameAllocator/ZoneSet/contiguousRange(_:_:with:shouldGoOn:)``.
  @discardableResult public borrowing func contiguousRange<Owner: FolioOwner>(
    _ range: FrameRange, _ policy: ContiguousPolicy = ContiguousPolicy(), owner: Owner, on cpu: CPUIndex = CPUIndex(0),
    shouldGoOn: () -> Bool = { true }
  ) throws(ContiguousError) -> RangePlan {
    let plan = try zones.contiguousRange(range, policy, with: migration(of: owner, on: cpu), shouldGoOn: shouldGoOn)
    checkStep()
    return plan
  }
}
