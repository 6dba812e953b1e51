public import AddressSpaces
public import FrameContents
public import MemoryUnits
import SystemPackage

/// A swap device in a file of the host.
///
/// The file is the device's while there is one: it is locked, so that no second device takes it, and closed when the device goes. It stays
/// then, with what was swapped last; only its owner may read it.
///
/// **Threads.** As `SwapDevice`.
///
/// Linux: a swap file, `swapon`. It goes round the file system; here the host's caches lie between.
public final class FileSwapDevice: SwapDevice {
  public let path: String
  public let slots: SlotCount
  private let baseShift: PageShift
  private let access: FileAccess
  /// Nil where a test gave the access.
  private let descriptor: FileDescriptor?

  /// Makes a file of so many slots, or takes one over that is there: what it holds is lost, and it gets that size.
  ///
  /// The host reserves all of it, so that a disk that is full says so now.
  ///
  /// - Throws: after undoing what was done; a file that was there keeps its bytes.
  /// - Complexity: O(1), or O(bytes) where the file system cannot reserve without writing.
  public convenience init(path: String, slots: SlotCount, baseShift: PageShift) throws(FileSwapError) {
    guard slots.rawValue <= UInt64(Int64.max) >> UInt64(baseShift.rawValue) else {
      throw .tooLarge(path: path, slots: slots)
    }
    let file = try SwapFile(path)
    do throws(FileSwapError) {
      try file.take(baseShift.bytes * slots.rawValue)
    } catch {
      file.giveBack()
      throw error
    }
    self.init(path: path, slots: slots, baseShift: baseShift, FileAccess(file.descriptor), file.descriptor)
  }

  init(path: String, slots: SlotCount, baseShift: PageShift, _ access: FileAccess, _ descriptor: FileDescriptor? = nil) {
    self.path = path
    self.slots = slots
    self.baseShift = baseShift
    self.access = access
    self.descriptor = descriptor
  }

  deinit { try? descriptor?.close() }

  /// - Throws: `.noSpace`, `.failed` with the system's error number, `.contents`.
  public func write(_ frames: FrameRange, to first: SwapSlot, in contents: DirectMap?) throws(SwapDeviceError) {
    try forEachRun(of: frames, at: first, baseShift: baseShift, in: contents) { (slot, run) throws(SwapDeviceError) in
      try transfer(run, slot, access.write)
    }
  }

  /// - Throws: `.ended` where the file was cut, `.failed` with the system's error number, `.contents`.
  public func read(_ first: SwapSlot, into frames: FrameRange, in contents: DirectMap?) throws(SwapDeviceError) {
    try forEachRun(of: frames, at: first, baseShift: baseShift, in: contents) { (slot, run) throws(SwapDeviceError) in
      try transfer(run, slot, access.read)
    }
  }

  /// What happened, with the path of the file.
  public func description(of error: SwapDeviceError) -> String {
    switch error {
    case .failed(let slot, let code): "\(path): slot \(slot): error \(code)"
    case .noSpace(let slot): "\(path): slot \(slot): no space on its file system"
    case .ended(let slot, let bytes): "\(path): slot \(slot): the file ends after \(bytes) bytes of it"
    case .keepsNoBytes: "\(path): keeps no bytes"
    case .contents(.metadataOnly): "\(path): the machine is metadata only"
    case .contents(.noContents(let frame)): "\(path): frame \(frame) has no bytes"
    case .contents(.overlap(let source, let target)): "\(path): frames \(source) and \(target) overlap"
    }
  }

  /// Goes on until all of a run has come or gone, in as many steps as the system takes.
  private func transfer(
    _ run: UnsafeMutableRawBufferPointer, _ first: SwapSlot, _ step: FileAccess.Step
  ) throws(SwapDeviceError) {
    let start = Int64(ByteCount(FrameCount(first.rawValue), baseShift).rawValue)
    let pageBytes = Int(baseShift.bytes.rawValue)
    var done = 0
    while done < run.count {
      let slot = first + SlotCount(UInt64(done / pageBytes))
      do throws(Errno) {
        let count = try step(UnsafeMutableRawBufferPointer(rebasing: run[done...]), start + Int64(done))
        done += count
        if count > 0 { continue }
      } catch {
        switch error {
        case .interrupted: continue
        case .noSpace, .diskQuotaExceeded: throw .noSpace(slot)
        default: throw .failed(slot, code: error.rawValue)
        }
      }
      throw .ended(slot, after: ByteCount(UInt64(done % pageBytes)))
    }
  }
}
