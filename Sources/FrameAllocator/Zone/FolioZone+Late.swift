public import MemoryUnits

// Memory that comes to a zone after it was made, and goes.

extension FolioZone {
  /// Frames that came since the zone was made, less those that went. Linux: what `adjust_present_page_count` added.
  public var presentChange: Int64 { marks.presentChange }

  /// Counts frames as come, or as gone where `amount` is negative. That they are given to the zone is done apart.
  public func changePresent(by amount: Int64) { marks.changePresent(by: amount) }

  /// Takes frames from the zone, for good, that its caller claimed before.
  ///
  /// - Complexity: O(1). Linux: `__offline_isolated_pages`, `adjust_managed_page_count`.
  public borrowing func forgetClaimed(_ frames: FrameCount) {
    marks.changeClaimed(by: -Int64(frames.rawValue))
    marks.changeManaged(by: -Int64(frames.rawValue))
  }

  /// Gives the zone frames that nobody may have; they count as claimed by the caller.
  ///
  /// - Complexity: O(1).
  public borrowing func manageClaimed(_ frames: FrameCount) {
    marks.changeManaged(by: Int64(frames.rawValue))
    marks.changeClaimed(by: Int64(frames.rawValue))
  }
}
