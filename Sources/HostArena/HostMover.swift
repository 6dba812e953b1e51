import CHostArena
import FrameContents

/// Clears and copies in a Linux process: from 64 KiB on past the caches, below that as the C library does.
///
/// On x86_64, stores that bypass the caches save reading the lines that they overwrite; a huge page would push everything else
/// out of the caches anyway. Steps of a work should be 64 KiB or more, therefore. Other processors use the C library for all.
/// `megalith-bench contents` measures it next to the other ways that a processor has, for who wants to choose again.
///
/// Bytes are stored when a call returns, for whoever is told of it; any thread may call. Both take any address and number.
///
/// Linux: `clear_page_erms`, `copy_page`; for user pages `copy_user_generic_nocache`.
public enum HostMover: ContentMover {
  /// - Complexity: O(bytes).
  @unsafe public static func clear(_ target: UnsafeMutableRawPointer, bytes count: Int) {
    // Safe: the caller vouches for `count` bytes.
    unsafe host_clear(target, count)
  }

  /// - Complexity: O(bytes).
  @unsafe public static func copy(to target: UnsafeMutableRawPointer, from source: UnsafeRawPointer, bytes count: Int) {
    // Safe: as above, and the places do not overlap.
    unsafe host_copy(target, source, count)
  }
}
