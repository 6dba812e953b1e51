import MemoryUnits
import PhysicalLayout

extension OtherSettings {
  /// How the running kernel's parameters are named in messages.
  static let runningPlace = SettingPlace(path: "proc/cmdline", line: nil)

  /// Where a contiguous area for huge pages is set aside: in files, else in the kernel that runs.
  var area: SettingPlace? { areaInFiles ?? (running?.hugePageArea == nil ? nil : Self.runningPlace) }

  var areaInFiles: SettingPlace? { bootParameters.first { $0.line.hugePageArea != nil }?.place }

  /// Where files ask for pages of `size` at boot. A request without a size is for the default one.
  func bootPages(of size: PageSize, defaultSize: PageSize?) -> SettingPlace? {
    bootParameters.first { parameters in
      let meant = parameters.line.defaultHugePageSize ?? defaultSize
      return parameters.line.hugePages.contains { ($0.size ?? meant) == size }
    }?.place
  }

  /// Where files ask for gigantic pages at boot.
  func giganticBootPages(_ host: PersistHost) -> (PageSize, SettingPlace)? {
    for (place, line) in bootParameters {
      for request in line.hugePages {
        if let size = request.size, host.sizes.contains(size), host.isGigantic(size) { return (size, place) }
      }
    }
    return nil
  }

  /// Where a file gives a number of pages first and their size after it.
  var reversedAmount: SettingPlace? { bootParameters.first { $0.line.hasReversedAmount }?.place }
}

extension KernelCommandLine {
  /// Whether a number of huge pages stands before the only size that it can be meant for.
  ///
  /// The kernel gives such a number to the default size, and to the size that follows it gives none.
  var hasReversedAmount: Bool {
    let amount = Array("hugepages".utf8)
    let size = Array("hugepagesz".utf8)
    let keys = parameters.filter { $0.name == amount || $0.name == size }
    guard keys.first?.name == amount else { return false }
    return keys.last?.name == size
  }
}
