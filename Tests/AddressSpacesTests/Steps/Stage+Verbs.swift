import AddressSpaces
import FrameAllocator
import HugePools
import Megalith
import MemoryUnits
import Mobility
import Testing

extension Stage {
  /// Does what a line says. What is written and read are bytes where the machine has contents, else accesses.
  func perform(_ words: [String]) throws {
    let memory = world.machine.memory.pools.sizes
    precondition(!memory.isEmpty, "a machine without huge pages")
    switch words[0] {
    case "pool": world.grow(size, to: try number(words[1]))
    case "pool:": world.grow(try size(words[1]), to: try number(words[2]))
    case "overcommit":
      world.machine.memory.pools.setOvercommit(size, to: PageCount(try number(words[1])))
    case "file": try makeObject(words)
    case "subpool": try makeSubpool(words)
    case "close":
      guard let subpool = subpools.removeValue(forKey: words[1]) else { throw Stop(description: "no subpool") }
      world.machine.memory.pools.close(subpool, zones: world.machine.zones, on: world.cpu)
    case "truncate":
      world.machine.memory.truncate(try object(words[1]), to: PageCount(try number(words[2])), on: world.cpu)
    case "punch": world.machine.memory.punch(try pages(words[2]), of: try object(words[1]), on: world.cpu)
    case "delete":
      world.machine.memory.delete(try object(words[1]), on: world.cpu)
      deleted.insert(words[1])
    case "has":
      let object = try object(words[1])
      let said = "\(object.size) \(object.resident)"
      guard said == words[2] + " " + words[3] else { throw Stop(description: "\(words[1]) has \(said)") }
    case "space": spaces[words[1]] = try world.space()
    case "fork": spaces[words[2]] = try world.machine.memory.fork(try space(words[1]), on: world.cpu)
    case "end":
      world.end(try space(words[1]))
      spaces[words[1]] = nil
    case "unpin":
      for range in pins[words[1]] ?? [] { try world.machine.memory.unpin(range, on: world.cpu) }
    case "poke", "peek": try reach(words)
    default: try perform(words[1], Array(words.dropFirst(2)), in: try space(words[0]))
    }
  }

  private func perform(_ verb: String, _ words: [String], in space: AddressSpace) throws {
    let memory = world.cpu
    switch verb {
    case "map", "share", "private": try map(verb, words, in: space)
    case "read", "write":
      let place = try place(words[0])
      var address = try range(words[1], in: place).start
      let end = try range(words[1], in: place).end
      while address < end {
        try world.touch(address, verb == "read" ? .read : .write, in: space)
        address += place.page.bytes
      }
    case "put", "see": try use(verb, words, in: space)
    case "unmap": try world.machine.memory.unmap(try part(words), in: space, on: memory)
    case "protect":
      var protection: Protection = []
      if words[2].contains("r") { protection.insert(.read) }
      if words[2].contains("w") { protection.insert(.write) }
      try world.machine.memory.protect(try range(words[1], in: place(words[0])), protection, in: space, on: memory)
    case "remap": try remap(words, in: space)
    case "advise":
      try world.machine.memory.advise(try range(words[1], in: place(words[0])), try advice(words[2]), in: space, on: memory)
    case "pin": try pin(words, in: space)
    case "move": try move(words, in: space)
    default: throw Stop(description: "no verb \(verb)")
    }
  }

  /// `a`, or `a 1..2`.
  private func part(_ words: [String]) throws -> VirtualRange {
    let place = try place(words[0])
    return words.count > 1 ? try range(words[1], in: place) : place.range
  }

  private func size(_ word: String) throws -> PageSize {
    guard let size = pageSize(named: word) else { throw Stop(description: "no pages of \(word)") }
    return size
  }

  // MARK: Objects

  /// `file f 4`, with `of:s` in a subpool and `size:base`.
  private func makeObject(_ words: [String]) throws {
    var subpool: Subpool?
    var pageSize = size
    for word in words.dropFirst(3) {
      if word.hasPrefix("of:") { subpool = subpools[String(word.dropFirst(3))] }
      if word.hasPrefix("size:") { pageSize = try size(String(word.dropFirst(5))) }
    }
    objects[words[1]] = try world.machine.memory.makeObject(
      pageSize, size: PageCount(try number(words[2])), subpool: subpool)
    deleted.remove(words[1])
  }

  /// `subpool s max min file`: the object makes it known to who recounts.
  private func makeSubpool(_ words: [String]) throws {
    let maximum = words[2] == "-" ? nil : PageCount(try number(words[2]))
    let subpool = try world.machine.memory.pools.makeSubpool(
      size, maximum: maximum, minimum: PageCount(try number(words[3])), zones: world.machine.zones,
      with: world.machine.migration(of: world.machine.memory.owner))
    subpools[words[1]] = subpool
    objects[words[4]] = try world.machine.memory.makeObject(size, size: PageCount(try number(words[5])), subpool: subpool)
  }

  // MARK: Mappings

  /// `map a 3`, `share a 3 f 0`, `private a 3 f 0`, and options.
  private func map(_ verb: String, _ words: [String], in space: AddressSpace) throws {
    var options = MappingOptions()
    var pageSize = size
    for word in words.dropFirst(verb == "map" ? 2 : 4) {
      let parts = word.split(separator: ":").map(String.init)
      switch parts[0] {
      case "noreserve": options.reserves = false
      case "populate": options.populates = true
      case "ro": options.protection = .read
      case "none": options.protection = []
      case "at", "over": options.place = try mappingPlace(word)
      case "bind": options.placement = .bind(try nodes(parts[1]))
      case "interleave": options.placement = .interleave(try nodes(parts[1]), index: PageIndex(0))
      case "prefer": options.placement = .preferred(try nodes(parts[1])[0])
      case "size": pageSize = try size(parts[1])
      default: throw Stop(description: "no option \(word)")
      }
    }
    let source: MappingSource
    switch verb {
    case "map": source = .anonymous(pageSize)
    case "share": source = .shared(try object(words[2]), from: PageIndex(try number(words[3])))
    default: source = .privately(try object(words[2]), from: PageIndex(try number(words[3])))
    }
    if verb != "map" { pageSize = try object(words[2]).pageSize }
    let bytes: ByteCount
    if words[1].hasSuffix("~") {
      bytes = pageSize.bytes * (try number(String(words[1].dropLast()))) + world.base
    } else {
      bytes = pageSize.bytes * (try number(words[1]))
    }
    let range = try world.machine.memory.map(source, bytes, in: space, options, on: world.cpu)
    ranges[words[0]] = Place(range: range, page: pageSize)
  }

  private func nodes(_ word: String) throws -> [NodeID] {
    try word.split(separator: ",").map { NodeID(UInt32(try number(String($0)))) }
  }

  /// `at:b+2`, `over:b+2`, `anywhere`, `nowhere`.
  private func mappingPlace(_ word: String) throws -> MappingPlace? {
    let parts = word.split(whereSeparator: { $0 == ":" || $0 == "+" }).map(String.init)
    switch parts[0] {
    case "nowhere": return nil
    case "anywhere": return .anywhere
    case "at": return .at(try address(parts[2], in: place(parts[1])))
    default: return .replacing(try address(parts[2], in: place(parts[1])))
    }
  }

  private func mappingPlace(_ word: String) throws -> MappingPlace {
    let place: MappingPlace? = try mappingPlace(word)
    return place ?? .anywhere
  }

  /// `remap a 0..3 b 2 anywhere`: what `a` has there becomes `b`, of two pages.
  private func remap(_ words: [String], in space: AddressSpace) throws {
    let place = try place(words[0])
    let target: MappingPlace? = try mappingPlace(words[4])
    let range = try world.machine.memory.remap(
      try range(words[1], in: place), to: place.page.bytes * (try number(words[3])), target, in: space, on: world.cpu)
    ranges[words[2]] = Place(range: range, page: place.page)
  }

  private func advice(_ word: String) throws -> Advice {
    switch word {
    case "notNeeded": return .notNeeded
    case "needed": return .needed
    case "leftOut": return .leftOutOfForks(true)
    case "notLeftOut": return .leftOutOfForks(false)
    case "empty": return .emptyInForks(true)
    case "notEmpty": return .emptyInForks(false)
    case "removed": return .removed
    default: throw Stop(description: "no advice \(word)")
    }
  }

  // MARK: Contents

  /// `put a 1 7`: the first and the last byte of a page.
  private func use(_ verb: String, _ words: [String], in space: AddressSpace) throws {
    let place = try place(words[0])
    let page = try range(words[1], in: place)
    let value = UInt8(truncatingIfNeeded: try number(words[2]))
    try world.touch(page.start, verb == "put" ? .write : .read, in: space)
    guard world.machine.memory.contents != nil else { return }
    for address in [page.start, page.end - ByteCount(1)] {
      if verb == "put" {
        try world.write(value, at: address, in: space)
      } else {
        let byte = try world.byte(at: address, in: space)
        guard byte == value else { throw Stop(description: "\(words[0]) has \(byte) at \(address), and not \(value)") }
      }
    }
  }

  /// `poke l 7`, `peek l 7`: the first byte of the first frame that was pinned, by its frame.
  private func reach(_ words: [String]) throws {
    guard let contents = world.machine.memory.contents, let frame = pins[words[1]]?.first?.start else { return }
    let value = UInt8(truncatingIfNeeded: try number(words[2]))
    if words[0] == "poke" {
      try contents.withMutableBytes(of: frame) { $0[0] = value }
    } else {
      let byte = try contents.withBytes(of: frame) { $0[0] }
      guard byte == value else { throw Stop(description: "the frame of \(words[1]) has \(byte), and not \(value)") }
    }
  }

  // MARK: Pins and moves

  /// `pin l a 0..2 write long got:1`: the last says how many pages can be had.
  private func pin(_ words: [String], in space: AddressSpace) throws {
    let place = try place(words[1])
    let range = try range(words[2], in: place)
    var options: PinOptions = []
    var wanted = range.count
    for word in words.dropFirst(3) {
      if word == "write" { options.insert(.write) }
      if word == "long" { options.insert(.longTerm) }
      if word.hasPrefix("got:") { wanted = place.page.bytes * (try number(String(word.dropFirst(4)))) }
    }
    var ranges = [FrameRange](repeating: FrameRange(start: FrameNumber(0), count: .zero), count: 64)
    var span = ranges.mutableSpan
    let done = try world.machine.memory.pin(range, options, in: space, into: &span, on: world.cpu)
    pins[words[0]] = Array(ranges.prefix(done.ranges))
    let pinned = ByteCount(done.frames, world.machine.memory.shape.baseShift)
    guard pinned == wanted else { throw Stop(description: "pinned \(pinned), and not \(wanted)") }
  }

  /// `move a 1`: to other frames, wherever.
  private func move(_ words: [String], in space: AddressSpace) throws {
    let place = try place(words[0])
    guard let head = frame(at: try address(words[1], in: place), in: space) else {
      throw Stop(description: "nothing is mapped there")
    }
    let folio = try world.machine.zones.folio(containing: head)
    let target = try world.machine.zones.migrate(
      folio, node: NodeID(0), with: world.machine.migration(of: world.machine.memory.owner))
    guard target != folio.head else { throw Stop(description: "it has not moved") }
  }
}
