import MemoryUnits

/// What the keys about huge pages remember of each other while a command line is read: `hugepages=` speaks about the
/// `hugepagesz=` before it, and about the default size where there is none.
///
/// Linux: `hugepagesz_setup`, `hugepages_setup`, `default_hugepagesz_setup`.
struct HugePageKeys {
  private enum Subject: Equatable {
    case defaultSize
    case size(PageSize)
    /// The size before was refused: its number has no meaning.
    case refused
    /// The number of the size before has been given.
    case spent
  }

  private var subject = Subject.defaultSize
  private var sizes: [PageSize] = []

  mutating func size(_ value: [UInt8], in line: inout KernelCommandLine) -> CommandLineProblem.Reason? {
    subject = .refused
    let size: PageSize
    switch pageSize(value) {
    case .success(let read): size = read
    case .failure(let reason): return reason
    }
    // A size counts once; the default size may be named again as long as it has no number yet.
    guard !sizes.contains(size) else {
      let isOpenDefault = line.defaultHugePageSize == size && !line.hugePages.contains { $0.size == nil || $0.size == size }
      if isOpenDefault { subject = .size(size) }
      return isOpenDefault ? nil : .repeated
    }
    sizes.append(size)
    subject = .size(size)
    return nil
  }

  mutating func defaultSize(_ value: [UInt8], in line: inout KernelCommandLine) -> CommandLineProblem.Reason? {
    guard line.defaultHugePageSize == nil else { return .repeated }
    switch pageSize(value) {
    case .success(let size):
      line.defaultHugePageSize = size
      if !sizes.contains(size) { sizes.append(size) }
      // Like a `hugepagesz=` of that size, unless that one had its number.
      let hasNumber = line.hugePages.contains { $0.size == size }
      subject = hasNumber ? .spent : .size(size)
      return nil
    case .failure(let reason):
      subject = .refused
      return reason
    }
  }

  mutating func amount(_ value: [UInt8], in line: inout KernelCommandLine) -> CommandLineProblem.Reason? {
    let size: PageSize?
    switch subject {
    case .defaultSize: size = nil
    case .size(let named): size = named
    case .refused, .spent: return .withoutSize
    }
    var problem: CommandLineProblem.Reason?
    guard let amount = read(value, &problem) else { return problem }
    subject = .spent
    line.hugePages.append(HugePageRequest(size: size, amount: amount))
    return problem
  }

  private enum SizeReading {
    case success(PageSize)
    case failure(CommandLineProblem.Reason)
  }

  private func pageSize(_ value: [UInt8]) -> SizeReading {
    var scanner = Scanner(value)
    switch scanner.size() {
    case .none: return .failure(.noNumber)
    case .tooLarge: return .failure(.tooLarge)
    case .value(let number):
      guard let size = PageSize(exactly: ByteCount(number)) else { return .failure(.notAPageSize) }
      return .success(size)
    }
  }

  /// `N`, or `node:N,node:N`; these numbers are decimal.
  private func read(_ value: [UInt8], _ problem: inout CommandLineProblem.Reason?) -> HugePageAmount? {
    var scanner = Scanner(value)
    var shares: [NodeHugePages] = []
    repeat {
      guard let first = scanner.decimal(&problem) else { return nil }
      guard scanner.skip(Ascii.colon) else {
        guard shares.isEmpty else {
          problem = .trailingText
          return nil
        }
        if !scanner.isAtEnd { problem = .trailingText }
        return .total(HugePageCount(first))
      }
      guard let node = UInt32(exactly: first) else {
        problem = .tooLarge
        return nil
      }
      guard let count = scanner.decimal(&problem) else { return nil }
      shares.append(NodeHugePages(node: NodeID(node), count: HugePageCount(count)))
    } while scanner.skip(Ascii.comma) && !scanner.isAtEnd
    if !scanner.isAtEnd { problem = .trailingText }
    return .perNode(shares)
  }
}

extension KernelCommandLine {
  /// Linux: `cmdline_parse_hugetlb_cma`.
  mutating func applyHugePageArea(_ value: [UInt8]) -> CommandLineProblem.Reason? {
    var problem: CommandLineProblem.Reason?
    var scanner = Scanner(value)
    var shares: [NodeBytes] = []
    while !scanner.isAtEnd {
      let before = scanner
      guard let node = scanner.decimal(&problem) else { return problem }
      guard scanner.skip(Ascii.colon) else {
        guard shares.isEmpty else { return .trailingText }
        scanner = before
        guard let size = scanner.sizeOrProblem(&problem) else { return problem }
        hugePageArea = .total(ByteCount(size))
        return scanner.isAtEnd ? nil : .trailingText
      }
      guard let narrow = UInt32(exactly: node) else { return .tooLarge }
      guard let size = scanner.sizeOrProblem(&problem) else { return problem }
      shares.append(NodeBytes(node: NodeID(narrow), size: ByteCount(size)))
      guard scanner.skip(Ascii.comma) else { break }
    }
    guard !shares.isEmpty else { return .noNumber }
    hugePageArea = .perNode(shares)
    return scanner.isAtEnd ? nil : .trailingText
  }
}

extension Scanner {
  fileprivate mutating func decimal(_ problem: inout CommandLineProblem.Reason?) -> UInt64? {
    value(of: digits(radix: 10), &problem)
  }

  fileprivate mutating func sizeOrProblem(_ problem: inout CommandLineProblem.Reason?) -> UInt64? {
    value(of: size(), &problem)
  }

  private func value(of reading: NumberReading, _ problem: inout CommandLineProblem.Reason?) -> UInt64? {
    switch reading {
    case .none:
      problem = .noNumber
      return nil
    case .tooLarge:
      problem = .tooLarge
      return nil
    case .value(let value): return value
    }
  }
}
