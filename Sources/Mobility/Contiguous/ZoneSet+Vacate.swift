public import FrameAllocator
import FrameMap
public import MemoryUnits

extension ZoneSet {
  /// Empties a range whose memory is to go: what is movable moves away, and the frames are claimed for the caller, as with
  /// ``contiguousRange(_:_:with:shouldGoOn:)``.
  ///
  /// - Parameters:
  ///   - index: the zone of all of the range's frames.
  ///   - skipped: frames inside that are nobody's - descriptors, failed memory -, lowest first. They are not looked at, whatever their
  ///     number, and not taken.
  /// - Throws: `.refused`, `.cancelled`; every frame is back then, though movable folios may lie elsewhere.
  /// - Complexity: O(frames / 64 + folios + skipped ranges), and the moves. Callers exclude each other.
  ///   Linux: `offline_pages` up to `test_pages_isolated`.
  public borrowing func vacate<Owner, Mover>(
    _ range: FrameRange, of index: ZoneIndex, skipping skipped: [FrameRange] = [], _ policy: ContiguousPolicy,
    with context: MigrationContext<Owner, Mover>, shouldGoOn: () -> Bool = { true }
  ) throws(ContiguousError) -> RangePlan {
    guard !range.isEmpty else { throw .noSuchRange(range) }
    let plan = plan(range, in: index, policy, stopsAtFirst: false, skipping: skipped)
    // Frames in somebody's hands look reserved for a moment. Once the range is isolated the difference shows.
    guard plan.isPossible || plan.obstacles.total == plan.obstacles[.reserved] else { throw .refused(range, plan.obstacles) }
    try take(plan, policy, with: context, shouldGoOn)
    return plan
  }
}
