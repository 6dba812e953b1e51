import AddressSpaces
import HugePools
import MemoryUnits
import TestSupport

/// What a stressed machine should hold: values by page, in the simplest form.
struct StressModel {
  final class File {
    let object: SharedObject
    var size: UInt64
    /// Pages that are there.
    var values: [UInt64: UInt64] = [:]
    var isDeleted = false
    init(_ object: SharedObject, size: UInt64) {
      self.object = object
      self.size = size
    }
  }

  enum Kind { case anonymous, shared, privately }

  struct Region {
    var start: VirtualAddress
    var pages: UInt64
    let size: PageSize
    let kind: Kind
    let file: File?
    /// Page of the file, or of the region when it was made, that the first page is.
    var first: UInt64
    var isWritable: Bool
    /// Reserved, and not forked: what is touched must be there.
    var isSure: Bool
    /// Pages that the space has for itself, by address.
    var own: [UInt64: UInt64] = [:]

    var range: VirtualRange { VirtualRange(start: start, count: size.bytes * pages) }
    func address(_ page: UInt64) -> VirtualAddress { start + size.bytes * page }
  }

  final class Client {
    let space: AddressSpace
    var regions: [Region] = []
    init(_ space: AddressSpace) { self.space = space }
  }

  /// What somebody who looks sees; nil where he gets nothing.
  static func expected(_ region: Region, _ page: UInt64) -> UInt64? {
    if let own = region.own[region.address(page).rawValue] { return own }
    guard let file = region.file else { return 0 }
    guard region.first + page < file.size else { return nil }
    return file.values[region.first + page] ?? 0
  }

  /// A page was looked at.
  static func read(_ region: inout Region, _ page: UInt64) {
    let key = region.address(page).rawValue
    guard region.own[key] == nil else { return }
    guard let file = region.file else {
      region.own[key] = 0
      return
    }
    if file.values[region.first + page] != nil { return }
    // A file of huge pages does not keep what a private mapping touches first.
    if region.kind == .privately, region.size > .small { region.own[key] = 0 } else { file.values[region.first + page] = 0 }
  }

  static func write(_ region: inout Region, _ page: UInt64, _ value: UInt64) {
    if region.kind == .shared, let file = region.file {
      file.values[region.first + page] = value
    } else {
      if region.kind == .privately, region.size == .small, let file = region.file, file.values[region.first + page] == nil {
        // The file's page comes first, and is copied.
        file.values[region.first + page] = 0
      }
      region.own[region.address(page).rawValue] = value
    }
  }
}
