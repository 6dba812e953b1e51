import AddressSpaces
import FrameAllocator
import FrameMap
import Glibc
import HostArena
import HugePools
import Megalith
import MemoryUnits
import Mobility
import PhysicalLayout
import TestSupport
import Testing

/// Clients that do at random what clients do, and find what they wrote.
///
/// `MEGALITH_STRESS=600 swift test --filter StressTests` runs for ten minutes over eight seeds, with pages of 1 GiB too, which take
/// 5 GiB of the host's memory.
@Suite(.serialized) struct StressTests {
  static let seconds = getenv("MEGALITH_STRESS").flatMap { Int(String(cString: $0)) }
  static let seeds = seconds == nil ? [UInt64(1), 2, 3, 4] : Array(1...8)

  @Test(arguments: seeds) func clientsFindWhatTheyWrote(seed: UInt64) throws {
    let share = Self.seconds.map { Double($0) / Double(Self.seeds.count) }
    let run = try StressRun(seed: seed, isLarge: Self.seconds != nil)
    let start = ContinuousClock.now
    var steps = 0
    while share.map({ ContinuousClock.now - start < .seconds($0) }) ?? (steps < 1_500) {
      try run.step()
      steps += 1
      if steps % 100 == 0 { try run.world.check() }
    }
    try run.finish()
    print("stress: seed \(seed), \(steps) steps, \(run.done), pages compared \(run.compared), 1G pages touched \(run.gigantic)")
    #expect(run.problems.isEmpty, "seed \(seed): \(run.problems.prefix(3))")
  }
}

final class StressRun {
  let world: World<ArenaStorage>
  var random: SplitMix
  var clients: [StressModel.Client] = []
  var files: [StressModel.File] = []
  var problems: [String] = []
  var compared = 0
  var gigantic = 0
  var done: [String: Int] = [:]
  private let sizes: [PageSize]
  private var stamp: UInt64 = 1

  init(seed: UInt64, isLarge: Bool) throws {
    random = SplitMix(seed: seed)
    let size: ByteCount = isLarge ? .gibibytes(5) : .mebibytes(256)
    let layout = try BootLayout(of: PhysicalMemory(total: size, architecture: Architecture.x86_64).boot())
    let arena = try Arena(layout.memory.map { PhysicalRange($0, layout.architecture.baseShift) }, baseShift: PageShift(12))
    var policy = MachinePolicy()
    policy.minimumFree = .mebibytes(4)
    policy.keepsPageblocksFree = false
    let models = MemoryModel.allCases
    world = World(try Machine(layout, model: models[Int(seed) % models.count], policy: policy, arena: arena))
    sizes = isLarge ? [.small, .huge, .gigantic] : [.small, .huge]
    world.grow(.huge, to: 24)
    if isLarge { world.grow(.gigantic, to: 2) }
  }

  private var memory: VirtualMemory<ArenaStorage.Mover> { _read { yield world.machine.memory } }
  private func below(_ limit: UInt64) -> UInt64 { .random(in: 0..<limit, using: &random) }

  func step() throws {
    if clients.isEmpty { clients.append(StressModel.Client(try world.space())) }
    let client = clients[Int(below(UInt64(clients.count)))]
    switch below(100) {
    case 0..<12: map(client)
    case 12..<40: access(client, isWrite: true)
    case 40..<62: access(client, isWrite: false)
    case 62..<68: unmap(client)
    case 68..<72: fork(client)
    case 72..<76: protect(client)
    case 76..<80: truncate()
    case 80..<84: resize()
    case 84..<88: move(client)
    case 88..<92: discard(client)
    case 92..<96: pin(client)
    case 96..<98: contiguous()
    default: if clients.count > 1 { end(client) }
    }
  }

  private func count(_ what: String) { done[what, default: 0] += 1 }

  private func file(_ size: PageSize) -> StressModel.File? {
    let known = files.filter { $0.object.pageSize == size && !$0.isDeleted }
    if let file = known.randomElement(using: &random), below(3) > 0 { return file }
    let pages = 1 + below(size == .gigantic ? 1 : 8)
    guard let object = try? memory.makeObject(size, size: PageCount(pages)) else { return nil }
    let file = StressModel.File(object, size: pages)
    files.append(file)
    return file
  }

  private func map(_ client: StressModel.Client) {
    guard let size = sizes.randomElement(using: &random) else { return }
    if client.regions.count >= 12, let old = client.regions.randomElement(using: &random) { drop(old.range, client) }
    let kind = [StressModel.Kind.anonymous, .shared, .privately].randomElement(using: &random) ?? .anonymous
    let pages = 1 + below(size == .gigantic ? 1 : size == .huge ? 4 : 12)
    let file = kind == .anonymous ? nil : file(size)
    if kind != .anonymous, file == nil { return }
    let first = file.map { _ in below(2) } ?? 0
    var options = MappingOptions()
    options.reserves = below(4) > 0
    let source: MappingSource =
      switch (kind, file) {
      case (.shared, let file?): .shared(file.object, from: PageIndex(first))
      case (.privately, let file?): .privately(file.object, from: PageIndex(first))
      default: .anonymous(size)
      }
    do throws(MappingError) {
      let range = try memory.map(source, size.bytes * pages, in: client.space, options, on: world.cpu)
      if size > .small, let file { file.size = max(file.size, first + pages) }
      client.regions.append(
        StressModel.Region(
          start: range.start, pages: pages, size: size, kind: kind, file: file, first: first, isWritable: true,
          isSure: options.reserves && size > .small))
      count("map")
    } catch {
      count("no map")
    }
  }

  private func place(_ client: StressModel.Client) -> (Int, UInt64)? {
    guard !client.regions.isEmpty else { return nil }
    let number = Int(below(UInt64(client.regions.count)))
    return (number, below(client.regions[number].pages))
  }

  private func offset(_ region: StressModel.Region) -> ByteCount {
    // The same for a page at all times: values are told by it.
    ByteCount(region.size.bytes.rawValue - 8)
  }

  private func access(_ client: StressModel.Client, isWrite: Bool) {
    guard let (number, page) = place(client) else { return }
    let region = client.regions[number]
    let address = region.address(page) + offset(region)
    let expected = StressModel.expected(region, page)
    if region.size == .gigantic { gigantic += 1 }
    do throws(BytesError) {
      if isWrite {
        stamp += 1
        let value = stamp
        let bytes = (0..<8).map { UInt8(truncatingIfNeeded: value >> UInt64($0 * 8)) }
        try memory.write(address, in: client.space, bytes.span, on: world.cpu)
        if !region.isWritable || expected == nil { problems.append("a write went through to \(address)") }
        StressModel.write(&client.regions[number], page, value)
        count("write")
      } else {
        var bytes = [UInt8](repeating: 0, count: 8)
        var span = bytes.mutableSpan
        try memory.read(address, in: client.space, into: &span, on: world.cpu)
        let value = bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        if value != expected { problems.append("\(address) of \(region) holds \(value), not \(String(describing: expected))") }
        StressModel.read(&client.regions[number], page)
        compared += 1
        count("read")
      }
    } catch {
      explain(error, client, number, page, isWrite, expected)
    }
  }

  /// Looks whether there was a reason to refuse.
  private func explain(
    _ error: BytesError, _ client: StressModel.Client, _ number: Int, _ page: UInt64, _ isWrite: Bool, _ expected: UInt64?
  ) {
    let region = client.regions[number]
    guard case .fault(let fault) = error else { return problems.append("\(error)") }
    switch fault {
    case .protection: if !isWrite || region.isWritable { problems.append("\(fault)") }
    case .beyondObject: if expected != nil { problems.append("\(fault) of \(region)") }
    case .noHugePage:
      if region.isSure, region.own[region.address(page).rawValue] == nil {
        problems.append("\(fault) in a page that was reserved")
      }
    case .lostPage:
      if region.isSure { problems.append("\(fault) of who had reserved it") }
      // It is gone for good, and with it the mapping.
      drop(region.range, client)
    case .outOfMemory: break
    case .noMapping, .unreadable: problems.append("\(fault) of \(region)")
    }
    count("refused")
  }

  /// Unmaps, and forgets.
  private func drop(_ range: VirtualRange, _ client: StressModel.Client) {
    do throws(MappingError) { try memory.unmap(range, in: client.space, on: world.cpu) } catch { problems.append("\(error)") }
    var left: [StressModel.Region] = []
    for region in client.regions {
      let low = min(max(range.start, region.start), region.range.end)
      let high = max(min(range.end, region.range.end), region.start)
      guard low < high else {
        left.append(region)
        continue
      }
      if region.start < low { left.append(cut(region, VirtualRange(start: region.start, end: low))) }
      if high < region.range.end { left.append(cut(region, VirtualRange(start: high, end: region.range.end))) }
    }
    client.regions = left
  }

  private func cut(_ region: StressModel.Region, _ range: VirtualRange) -> StressModel.Region {
    var part = region
    part.first = region.first + (range.start - region.start) / region.size.bytes
    part.start = range.start
    part.pages = range.count / region.size.bytes
    part.own = region.own.filter { range.contains(VirtualAddress($0.key)) }
    return part
  }

  private func part(_ region: StressModel.Region) -> VirtualRange {
    let first = below(region.pages)
    let count = 1 + below(region.pages - first)
    return VirtualRange(start: region.address(first), count: region.size.bytes * count)
  }

  private func unmap(_ client: StressModel.Client) {
    guard let (number, _) = place(client) else { return }
    drop(part(client.regions[number]), client)
    count("unmap")
  }

  private func fork(_ client: StressModel.Client) {
    guard clients.count < 6 else { return }
    do throws(MappingError) {
      let child = StressModel.Client(try memory.fork(client.space, on: world.cpu))
      child.regions = client.regions
      for number in child.regions.indices where child.regions[number].kind != .shared { child.regions[number].isSure = false }
      clients.append(child)
      count("fork")
    } catch {
      count("no fork")
    }
  }

  private func protect(_ client: StressModel.Client) {
    guard let (number, _) = place(client) else { return }
    let isWritable = below(2) == 0
    do throws(MappingError) {
      try memory.protect(
        client.regions[number].range, isWritable ? [.read, .write] : .read, in: client.space, on: world.cpu)
      client.regions[number].isWritable = isWritable
      count("protect")
    } catch {
      problems.append("\(error)")
    }
  }

  private func truncate() {
    guard let file = files.filter({ !$0.isDeleted }).randomElement(using: &random) else { return }
    switch below(4) {
    case 0:
      memory.delete(file.object, on: world.cpu)
      file.isDeleted = true
      count("delete")
    case 1:
      let pages = UnitRange(start: PageIndex(below(6)), count: PageCount(1 + below(3)))
      memory.punch(pages, of: file.object, on: world.cpu)
      for page in pages.start.rawValue..<pages.end.rawValue { file.values[page] = nil }
      count("punch")
    default:
      let size = below(8)
      memory.truncate(file.object, to: PageCount(size), on: world.cpu)
      file.size = size
      file.values = file.values.filter { $0.key < size }
      for client in clients {
        for number in client.regions.indices where client.regions[number].file === file {
          let region = client.regions[number]
          // Copies of what is cut off go too; of those that are pinned the reservation does not come back.
          client.regions[number].own = region.own.filter {
            region.first + (VirtualAddress($0.key) - region.start) / region.size.bytes < size
          }
          client.regions[number].isSure = false
        }
      }
      count("truncate")
    }
  }

  private func resize() {
    let size: PageSize = sizes.count > 2 && below(4) == 0 ? .gigantic : .huge
    if below(3) == 0 {
      memory.pools.setOvercommit(size, to: PageCount(below(4)))
    } else {
      world.grow(size, to: size == .huge ? 8 + below(24) : below(3))
    }
    count("resize")
  }

  private func move(_ client: StressModel.Client) {
    guard let (number, _) = place(client) else { return }
    let region = client.regions[number]
    let range = region.range
    do throws(MappingError) {
      let size = region.size.bytes * (region.size == .small ? 1 + below(16) : region.pages)
      let target = VirtualRange(start: VirtualAddress(1 << 40) + ByteCount(below(1 << 8) << 30), count: size)
      let new = try memory.remap(range, to: size, .at(target.start), in: client.space, on: world.cpu)
      var moved = region
      moved.start = new.start
      moved.pages = new.count / region.size.bytes
      moved.own = [:]
      for (key, value) in region.own where key - range.start.rawValue < size.rawValue {
        moved.own[key - range.start.rawValue + new.start.rawValue] = value
      }
      client.regions[number] = moved
      count("move")
    } catch {
      count("no move")
    }
  }

  private func discard(_ client: StressModel.Client) {
    guard let (number, _) = place(client) else { return }
    let range = part(client.regions[number])
    do throws(MappingError) {
      try memory.advise(range, .notNeeded, in: client.space, on: world.cpu)
      client.regions[number].own = client.regions[number].own.filter { !range.contains(VirtualAddress($0.key)) }
      // What others still had was not free to be reserved again.
      client.regions[number].isSure = false
      count("discard")
    } catch {
      problems.append("\(error)")
    }
  }

  /// Pins a page, forks, and lets the child write: the pin stays with the parent's page.
  private func pin(_ client: StressModel.Client) {
    guard let (number, page) = place(client) else { return }
    let region = client.regions[number]
    let last = region.address(page) + (region.size.bytes - .kibibytes(4))
    var frames = [FrameNumber(0)]
    var span = frames.mutableSpan
    let range = VirtualRange(start: last, count: .kibibytes(4))
    guard region.isWritable, let got = try? memory.pin(range, .write, in: client.space, into: &span, on: world.cpu), got > .zero
    else { return count("no pin") }
    let value = StressModel.expected(region, page) ?? 0
    StressModel.write(&client.regions[number], page, value)
    fork(client)
    if let child = clients.last, child !== client { access(child, isWrite: true) }
    // Written through the frame, seen through the space.
    stamp += 1
    let mark = stamp
    try? memory.contents?.withMutableBytes(of: frames[0]) { bytes in
      for byte in 0..<8 { bytes[4088 + byte] = UInt8(truncatingIfNeeded: mark >> UInt64(byte * 8)) }
    }
    if client.regions[number].range == region.range { StressModel.write(&client.regions[number], page, mark) }
    do throws(PinError) {
      try memory.unpin(frames.span, isDirty: true, on: world.cpu)
      count("pin")
    } catch {
      problems.append("\(error)")
    }
  }

  /// Takes a block out from under whatever is there.
  private func contiguous() {
    let order = Order(UInt8(9 + below(3)))
    guard let folio = try? world.machine.contiguousBlock(order, FrameRequest(.unmovable), owner: memory.owner) else {
      return count("no block")
    }
    world.machine.free(folio)
    count("block")
  }

  private func end(_ client: StressModel.Client) {
    world.end(client.space)
    clients.removeAll { $0 === client }
    count("end")
  }

  /// Compares all that was touched, and gives everything back.
  func finish() throws {
    for client in clients {
      for region in client.regions {
        for page in 0..<region.pages where region.own[region.address(page).rawValue] != nil {
          var bytes = [UInt8](repeating: 0, count: 8)
          var span = bytes.mutableSpan
          do throws(BytesError) {
            try memory.read(region.address(page) + offset(region), in: client.space, into: &span, on: world.cpu)
            let value = bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            if value != region.own[region.address(page).rawValue] { problems.append("at the end: \(value) in \(region)") }
            compared += 1
          } catch {
            if case .fault(.lostPage) = error { continue }
            problems.append("at the end: \(error)")
          }
        }
      }
    }
    try world.check()
    for client in clients { world.end(client.space) }
    for file in files where !file.isDeleted { memory.delete(file.object, on: world.cpu) }
    try world.finish()
  }
}
