public import MemoryUnits
import FrameAllocator

/// A share of a pool: at most so many pages of it, and at least so many kept in reserve. A file system of huge pages has one.
///
/// The minimum is reserved from the pool when the subpool is made, and is used up before the pool is asked for more. Made and ended
/// by ``HugePools``. Pages that are in use keep their subpool alive; its minimum goes back to the pool when it was closed and the
/// last of its pages has come back.
///
/// **Threads.** Any.
///
/// Linux: `struct hugepage_subpool`.
public final class Subpool: Sendable {
  public let size: PageSize
  /// Nil for no limit. Linux: `max_hpages`.
  public let maximum: PageCount?
  /// Linux: `min_hpages`.
  public let minimum: PageCount

  struct Books: Sendable {
    /// Pages that users have or were promised; counted where there is a maximum only.
    var used = PageCount.zero
    /// What is left of the minimum's reservation.
    var kept: PageCount
    var isClosed = false
    var isEnded = false
  }
  private let books: Guarded<Books>

  init(_ size: PageSize, maximum: PageCount?, minimum: PageCount, pause: @escaping @Sendable () -> Void) {
    self.size = size
    self.maximum = maximum
    self.minimum = minimum
    books = Guarded(Books(kept: minimum), pause: pause)
  }

  /// Pages that users have or were promised; counted where there is a maximum only, as Linux does. Linux: `used_hpages`.
  public var used: PageCount { books.withLock { $0.used } }
  /// What is left of the minimum's reservation: a part of what the pool shows as reserved. Linux: `rsv_hpages`.
  public var kept: PageCount { books.withLock { $0.kept } }

  /// Gives `count` pages to a user.
  ///
  /// - Returns: how many of these the pool has to promise; the others were kept in reserve.
  /// - Throws: `.subpoolFull`. Linux: `hugepage_subpool_get_pages`.
  func take(_ count: PageCount) throws(HugePoolError) -> PageCount {
    try books.withLock { (books) throws(HugePoolError) in
      if let maximum {
        guard count <= maximum.saturatingSubtracting(books.used) else {
          throw .subpoolFull(wanted: count, maximum: maximum, used: books.used)
        }
        books.used += count
      }
      let own = min(count, books.kept)
      books.kept -= own
      return count - own
    }
  }

  /// Takes back what `take` gave, of which the pool was to promise `promised`, and did not.
  ///
  /// - Returns: how many promises of the pool are too many now, because others gave pages back meanwhile.
  func undo(_ count: PageCount, promised: PageCount) -> PageCount {
    books.withLock { books in
      if maximum != nil { books.used -= count }
      let kept = books.kept + (count - promised)
      books.kept = min(kept, minimum)
      return kept - books.kept
    }
  }

  /// Takes `count` pages back from a user.
  ///
  /// - Returns: how many promises of the pool end; the others are kept in reserve again. Linux: `hugepage_subpool_put_pages`.
  func give(_ count: PageCount) -> PageCount {
    books.withLock { books in
      if maximum != nil {
        precondition(books.used >= count, "a subpool gets pages back that it did not give")
        books.used -= count
      }
      // A reserve is filled up only while less than the minimum is in use.
      guard books.used < minimum else { return count }
      let kept = books.kept + count
      books.kept = min(kept, minimum)
      return kept - books.kept
    }
  }

  /// Whether the minimum has gone back to the pool.
  var hasEnded: Bool { books.withLock { $0.isEnded } }

  func close() { books.withLock { $0.isClosed = true } }

  /// Whether the owner and the last page are gone; one caller alone is told so. Linux: `unlock_or_release_subpool`.
  func end() -> Bool {
    books.withLock { books in
      guard books.isClosed, !books.isEnded, maximum == nil || books.used == .zero, books.kept == minimum else { return false }
      books.isEnded = true
      return true
    }
  }
}
