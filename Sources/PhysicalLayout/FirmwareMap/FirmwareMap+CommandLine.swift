import MemoryUnits

extension FirmwareMap {
  /// The map after what a command line asks for. Directives act on the list of entries one after the other, and only
  /// then is the list made consistent, so that what a reservation hid does not come back as a hole.
  ///
  /// Linux: the map it prints with `user:`.
  public func applying(_ directives: [MapDirective]) -> FirmwareMap {
    var list = entries
    for directive in directives {
      switch directive {
      case .limit(let limit):
        list.rewrite(PhysicalRange(start: limit, end: PhysicalRange.everything.end), .usable, as: nil)
      case .exact: list = []
      case .add(let range, let kind): list.append(Entry(range, kind))
      case .convert(let range, let old, let new): list.rewrite(range, old, as: new)
      case .remove(let range, let kind): list.rewrite(range, kind, as: nil)
      }
    }
    return FirmwareMap(list)
  }

  /// The map after what `commandLine` asks for.
  public func applying(_ commandLine: KernelCommandLine) -> FirmwareMap { applying(commandLine.mapDirectives) }
}

extension [FirmwareMap.Entry] {
  /// Splits each entry of `kind` (nil: of any) at the bounds of `range` and gives what is inside a new kind, or drops it.
  fileprivate mutating func rewrite(_ range: PhysicalRange, _ kind: MemoryKind?, as replacement: MemoryKind?) {
    var list: [FirmwareMap.Entry] = []
    for entry in self {
      let inside = entry.range.intersection(range)
      guard !inside.isEmpty, kind == nil || entry.kind == kind else {
        list.append(entry)
        continue
      }
      list.append(FirmwareMap.Entry(PhysicalRange(start: entry.range.start, end: inside.start), entry.kind))
      if let replacement { list.append(FirmwareMap.Entry(inside, replacement)) }
      list.append(FirmwareMap.Entry(PhysicalRange(start: inside.end, end: entry.range.end), entry.kind))
    }
    self = list
  }
}
