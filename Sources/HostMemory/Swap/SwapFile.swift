import MemoryUnits
import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A file on its way to be a swap device.
struct SwapFile {
  let path: String
  let descriptor: FileDescriptor
  /// The file was not there before.
  private let isNew: Bool
  /// Its size when it was opened.
  private let oldSize: Int64

  /// Opens and locks a file, or makes one.
  ///
  /// - Throws: after closing it, and removing what was made.
  init(_ path: String) throws(FileSwapError) {
    self.path = path
    do throws(FileSwapError) {
      (descriptor, isNew) = (try Self.open(path, [.create, .exclusiveCreate]), true)
    } catch {
      guard case .unusable(_, Errno.fileExists.rawValue) = error else { throw error }
      (descriptor, isNew) = (try Self.open(path, []), false)
    }
    do throws(FileSwapError) {
      let status = try Self.attempt(path) { [descriptor] in try descriptor.stat() }
      guard status.type == .regular else { throw .notRegular(path: path) }
      oldSize = status.size
      // Locks are held by who opened the file: a second device of this process finds it locked, too.
      guard flock(descriptor.rawValue, LOCK_EX | LOCK_NB) == 0 else {
        throw errno == EWOULDBLOCK ? .inUse(path: path) : .unusable(path: path, code: errno)
      }
    } catch {
      if isNew { unlink(path) }
      try? descriptor.close()
      throw error
    }
  }

  private static func open(_ path: String, _ options: FileDescriptor.OpenOptions) throws(FileSwapError) -> FileDescriptor {
    do throws(FileSwapError) {
      return try attempt(path) {
        // What is no regular file must not be waited for.
        try FileDescriptor.open(
          path, .readWrite, options: options.union([.closeOnExec, .nonBlocking]), permissions: [.ownerReadWrite])
      }
    } catch {
      switch error {
      case .unusable(_, Errno.isDirectory.rawValue), .unusable(_, Errno.noSuchAddressOrDevice.rawValue):
        throw .notRegular(path: path)
      default: throw error
      }
    }
  }

  /// Reserves the bytes, and then makes the file as long and its owner's alone.
  ///
  /// - Throws: before anything of an old file is lost.
  func take(_ size: ByteCount) throws(FileSwapError) {
    let bytes = Int64(size.rawValue)
    let status = try Self.attempt(path) { try descriptor.stat() }
    let more = size.saturatingSubtracting(ByteCount(UInt64(max(status.sizeAllocated, 0))))
    // Asked before: where the file system cannot reserve, the library fills it up until it is full.
    if let available, available < more { throw .noSpace(path: path, wanted: more, available: available) }
    if bytes > 0 {
      var code = posix_fallocate(descriptor.rawValue, 0, off_t(bytes))
      while code == EINTR { code = posix_fallocate(descriptor.rawValue, 0, off_t(bytes)) }
      if code == ENOSPC || code == EDQUOT { throw .noSpace(path: path, wanted: more, available: available ?? .zero) }
      guard code == 0 else { throw .unusable(path: path, code: code) }
    }
    guard fchmod(descriptor.rawValue, S_IRUSR | S_IWUSR) == 0, ftruncate(descriptor.rawValue, off_t(bytes)) == 0 else {
      throw .unusable(path: path, code: errno)
    }
  }

  /// Bytes that the file system has for us; nil where it does not say.
  private var available: ByteCount? {
    var status = statvfs()
    guard fstatvfs(descriptor.rawValue, &status) == 0, status.f_blocks > 0 else { return nil }
    return ByteCount(UInt64(status.f_bavail) * UInt64(status.f_frsize))
  }

  /// The end of a file that is no device: as it was, or gone.
  func giveBack() {
    if isNew { unlink(path) } else { _ = ftruncate(descriptor.rawValue, off_t(oldSize)) }
    try? descriptor.close()
  }

  private static func attempt<Result>(_ path: String, _ call: () throws -> Result) throws(FileSwapError) -> Result {
    do {
      return try call()
    } catch {
      throw .unusable(path: path, code: (error as? Errno ?? .ioError).rawValue)
    }
  }
}
