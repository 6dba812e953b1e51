/// What clears and copies bytes. The maker of a machine picks the fastest that the machine has.
///
/// Linux: `clear_page`, `copy_page` and their per-processor variants.
public protocol ContentMover {
  /// Makes `count` bytes zero. Both are multiples of 64.
  @unsafe static func clear(_ target: UnsafeMutableRawPointer, bytes count: Int)

  /// Copies `count` bytes between places that do not overlap. All three are multiples of 64.
  @unsafe static func copy(to target: UnsafeMutableRawPointer, from source: UnsafeRawPointer, bytes count: Int)
}

/// Plain vector stores, for every processor.
public enum PortableMover: ContentMover {
  @unsafe public static func clear(_ target: UnsafeMutableRawPointer, bytes count: Int) {
    // Safe: the caller vouches for `count` bytes, whole lines, and alignment.
    let lines = unsafe target.assumingMemoryBound(to: SIMD8<UInt64>.self)
    for line in 0..<count / 64 { unsafe lines[line] = SIMD8() }
  }

  @unsafe public static func copy(to target: UnsafeMutableRawPointer, from source: UnsafeRawPointer, bytes count: Int) {
    // Safe: as above, and the places do not overlap.
    let targets = unsafe target.assumingMemoryBound(to: SIMD8<UInt64>.self)
    let sources = unsafe source.assumingMemoryBound(to: SIMD8<UInt64>.self)
    for line in 0..<count / 64 { unsafe targets[line] = unsafe sources[line] }
  }
}
