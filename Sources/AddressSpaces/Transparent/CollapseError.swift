public import FrameMap
public import MemoryUnits

/// Why small pages were not made a large one; everything is as before.
public enum CollapseError: Error, Hashable, Sendable {
  /// Nothing is mapped there, or not the whole range by one mapping.
  case noMapping(VirtualAddress)
  /// The memory is shared, an object's or a huge pool's, or its owner wants no larger pages.
  case unsuitable(VirtualRange)
  /// Tables cannot map pages of the size, or it is no larger than a base page.
  case noSuchSize(PageSize)
  /// More of its pages are empty than may be.
  case tooEmpty(empty: PageCount, most: PageCount)
  /// More of its pages are swapped out than may be.
  case tooMuchSwapped(swapped: PageCount, most: PageCount)
  /// Other spaces map a page too, or other addresses a part of it.
  case shared(VirtualAddress, mappings: UInt32)
  /// A page is pinned, or somebody refers to it.
  case busy(VirtualAddress, FrameCounts)
  /// A page could not be read in.
  case unread(FaultError)
  /// No frames for the large page, or for the tables that it keeps aside.
  case outOfMemory(wanted: FrameCount, largestFree: FrameCount)
}
