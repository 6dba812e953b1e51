public import FrameAllocator
public import FrameContents
public import FrameMap
public import MemoryUnits

/// Who holds movable folios and their mappings, and can make these lead elsewhere.
///
/// The engine moves bytes and descriptors; only the owner knows who refers to a folio by its frame. Address spaces are owners, as
/// is anything that keeps folios in tables of its own.
///
/// **Threads.** ``detach(_:)`` and ``attach(_:to:)`` of one folio are called by one thread, one after the other.
///
/// Linux: `try_to_migrate`, `remove_migration_ptes`, `address_space_operations.migrate_folio`.
public protocol FolioOwner {
  /// Makes every way from the owner to the folio lead to a waiting place, and says how many references these ways hold, the
  /// owner's first one included. Who comes that way waits until ``attach(_:to:)``.
  ///
  /// - Returns: nil where the folio is not the owner's, or cannot be moved now; nothing has changed then.
  func detach(_ folio: FolioPlace) -> FrameCounts?

  /// Ends what ``detach(_:)`` began: all ways lead to the folio of the same order at `head`, which is the old one where the move
  /// failed.
  func attach(_ folio: FolioPlace, to head: FrameNumber)

  /// Whether the content of a folio can be given up, so that it is freed where others would be moved. The default is never.
  ///
  /// Linux: clean file cache, which reclaim drops.
  func canDrop(_ folio: FolioPlace) -> Bool

  /// Ends what ``detach(_:)`` began by giving the content up: no way leads to the folio any more. Called only where
  /// ``canDrop(_:)`` said so.
  func drop(_ folio: FolioPlace)

  /// Whether a folio may be split that finds no place as a whole; each part is the owner's then, with one reference. The default
  /// is never.
  ///
  /// Linux: `try_split_folio` in `migrate_pages`.
  func canSplit(_ folio: FolioPlace) -> Bool

  /// Frees a page of a huge pool that nobody uses, and puts one from elsewhere in its place; its frames go to the isolation that they
  /// lie in. Asked where such a page has no references, so that it cannot be moved. The default has no pools.
  ///
  /// - Returns: false where the page is no free one of a pool's, or there is no other for its place; nothing has changed then.
  ///
  /// Linux: `alloc_and_dissolve_hugetlb_folio`.
  func replaceFree(_ page: FolioPlace, in zones: borrowing ZoneSet, on cpu: CPUIndex) -> Bool
}

extension FolioOwner {
  public func canDrop(_ folio: FolioPlace) -> Bool { false }
  public func drop(_ folio: FolioPlace) { preconditionFailure("a folio was dropped whose owner drops none") }
  public func canSplit(_ folio: FolioPlace) -> Bool { false }
  public func replaceFree(_ page: FolioPlace, in zones: borrowing ZoneSet, on cpu: CPUIndex) -> Bool { false }
}

/// What a move needs beside the zones.
public struct MigrationContext<Owner: FolioOwner, Mover: ContentMover> {
  public let owner: Owner
  /// Where frames' bytes are; nil for a machine that is metadata only, whose folios move without.
  public let contents: DirectMap?
  /// In whose name frames are allocated and freed.
  public let cpu: CPUIndex

  public init(owner: Owner, contents: DirectMap?, mover: Mover.Type, cpu: CPUIndex) {
    self.owner = owner
    self.contents = contents
    self.cpu = cpu
  }
}
