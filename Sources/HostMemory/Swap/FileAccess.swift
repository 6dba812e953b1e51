import SystemPackage

/// How bytes of a file come and go: some of what is asked for, or an error, as the system has it.
struct FileAccess: Sendable {
  typealias Step = @Sendable (UnsafeMutableRawBufferPointer, Int64) throws(Errno) -> Int

  /// Fills the front of a buffer from a place of the file; 0 at the file's end.
  let read: Step
  /// Writes the front of a buffer to a place of the file.
  let write: Step

  init(read: @escaping Step, write: @escaping Step) {
    self.read = read
    self.write = write
  }

  init(_ descriptor: FileDescriptor) {
    read = { (bytes, offset) throws(Errno) in
      try Self.typed { try descriptor.read(fromAbsoluteOffset: offset, into: bytes, retryOnInterrupt: false) }
    }
    write = { (bytes, offset) throws(Errno) in
      try Self.typed {
        try descriptor.write(toAbsoluteOffset: offset, UnsafeRawBufferPointer(bytes), retryOnInterrupt: false)
      }
    }
  }

  private static func typed<Result>(_ call: () throws -> Result) throws(Errno) -> Result {
    do {
      return try call()
    } catch {
      throw error as? Errno ?? .ioError
    }
  }
}
