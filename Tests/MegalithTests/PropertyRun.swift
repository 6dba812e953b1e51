import FrameAllocator
import FrameMap
import HostArena
import Megalith
import MemoryUnits
import PhysicalLayout

/// Where machine and oracle differ.
struct PropertyFailure: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

private func demand(_ condition: Bool, _ text: @autoclosure () -> String) throws(PropertyFailure) {
  if !condition { throw PropertyFailure(text()) }
}

/// A machine and its oracle, step by step.
struct PropertyRun: ~Copyable {
  let machine: Machine<HostStorage>
  private(set) var oracle: PropertyOracle
  private(set) var checks = 0
  /// Requests that were served, and misuse, claims and requests that were refused, each as the oracle has it.
  private(set) var served = 0
  private(set) var refused = 0

  init(_ machine: consuming Machine<HostStorage>) {
    oracle = PropertyOracle(machine)
    self.machine = machine
  }

  /// Runs the script, recounts every so many steps, gives everything back and recounts again.
  mutating func run(_ script: [PropertyStep], checkingEvery interval: Int) throws(PropertyFailure) {
    for (number, step) in script.enumerated() {
      do throws(PropertyFailure) {
        try perform(step)
        try compare()
        if number % interval == interval - 1 { try recount() }
      } catch {
        throw PropertyFailure("step \(number), \(step): \(error)")
      }
    }
    do throws(PropertyFailure) {
      try finish()
    } catch {
      throw PropertyFailure("at the end: \(error)")
    }
  }

  private borrowing func cpu(_ number: UInt32) -> CPUIndex { CPUIndex(number % machine.policy.processors.rawValue) }

  private mutating func perform(_ step: PropertyStep) throws(PropertyFailure) {
    switch step {
    case .allocate(let order, let request, let cpu): try allocate(Order(order), request, self.cpu(cpu))
    case .free(let pick, let cpu):
      guard let head = oracle.heads.picked(pick), let folio = oracle.folios[head] else { return }
      try free(head, folio.order, self.cpu(cpu))
    case .claimFolio(let place, let order, let mobility): try claimFolio(place, Order(order), mobility)
    case .claim(let place, let length): try claim(place, length)
    case .release(let pick):
      guard !oracle.claims.isEmpty else { return }
      try release(Int(pick % UInt64(oracle.claims.count)))
    case .split(let pick, let order): try split(pick, Order(order))
    case .tryGet(let place, let cpu): try tryGet(FrameNumber(place % (oracle.end + 100)), self.cpu(cpu))
    case .put(let pick, let cpu):
      guard let head = oracle.heads.picked(pick) else { return }
      put(head, self.cpu(cpu))
    case .drain: machine.zones.drain()
    case .misuse(let place, let order):
      let frame = FrameNumber(place % (oracle.end + 100))
      // A free that is right by accident is one too.
      try free(frame, Order(order), cpu(0))
    case .misuseNear(let pick, let offset, let order):
      guard let head = oracle.heads.picked(pick), let folio = oracle.folios[head] else { return }
      try free(head + FrameCount(offset), Order(folio.order.rawValue + order), cpu(0))
    }
  }

  // MARK: Allocation

  private mutating func allocate(_ order: Order, _ request: FrameRequest, _ cpu: CPUIndex) throws(PropertyFailure) {
    let range: FrameRange
    let zone: Int
    do throws(FolioError) {
      let folio = try machine.zones.allocate(order, request, on: cpu)
      (range, zone) = (folio.frames, Int(folio.zone.rawValue))
    } catch {
      refused += 1
      return try judge(error, order, request)
    }
    served += 1
    try accept(range, zone, order, request)
    oracle.hold(range.start, order, zone: zone)
  }

  private borrowing func accepted(_ request: FrameRequest) -> [Int] {
    oracle.zones.indices.filter { index in
      let zone = oracle.zones[index]
      let isMovable = request.mobility == .movable || request.mobility == .contiguous
      return zone.kind <= request.highestZone && (zone.kind != .movable || isMovable)
        && (!request.isNodeFixed || zone.node == request.node)
    }
  }

  /// What has to stay free in the zone for such a request.
  private borrowing func kept(_ zone: Int, _ request: FrameRequest) -> FrameCount {
    let index = ZoneIndex(UInt32(zone))
    let minimum = machine.zones[index].watermarks.min.rawValue
    let reserve = machine.zones.reserve(of: index, for: request.highestZone)
    switch request.urgency {
    case .ordinary: return FrameCount(minimum) + reserve
    case .atomic:
      let half = minimum - minimum / 2
      return FrameCount(half - half / 4) + reserve
    case .emergency: return .zero
    }
  }

  private borrowing func accept(
    _ range: FrameRange, _ zone: Int, _ order: Order, _ request: FrameRequest
  ) throws(PropertyFailure) {
    try demand(range.count == order.frames && range.start.isAligned(to: order.frames), "\(range) is no block of order \(order)")
    try demand(oracle.isAll(range, .free), "\(range) was not free")
    try demand(oracle.zones[zone].memory.contains { $0.contains(range) }, "\(range) is not memory of zone \(zone)")
    try demand(accepted(request).contains(zone), "zone \(zone) may not serve it")
    // Single frames may come out of a cache, whose word was accounted for before.
    if order > Order(0) {
      try demand(
        oracle.freeFrames[zone] > kept(zone, request) + (order.frames - FrameCount(1)),
        "zone \(zone) had \(oracle.freeFrames[zone]) free frames, too few for order \(order)")
    }
  }

  private borrowing func judge(_ error: FolioError, _ order: Order, _ request: FrameRequest) throws(PropertyFailure) {
    if order > machine.zones.topOrder {
      return try demand(error == .aboveTopOrder(order, top: machine.zones.topOrder), "wrong error: \(error)")
    }
    let accepted = accepted(request)
    let largest = oracle.largestFree(accepted)
    try demand(error == .exhausted(wanted: order.frames, largestFree: largest), "\(error), and \(largest) frames are free")
    guard largest >= order.frames, machine.policy.pageblocks?.fallback != .never else { return }
    // A block is there: it must lie below the mark, or in a pageblock that does not lend.
    for zone in accepted where oracle.freeFrames[zone] > kept(zone, request) + (order.frames - FrameCount(1)) {
      let index = ZoneIndex(UInt32(zone))
      guard let pageblock = machine.policy.pageblocks?.order, order < pageblock else {
        try demand(oracle.freeBlocks(order, zone: zone).isEmpty, "\(error), and a block was free in zone \(zone)")
        continue
      }
      for block in oracle.freeBlocks(order, zone: zone) {
        let mobility = machine.zones[index].mobility(ofPageblockOf: block)
        try demand(
          (mobility == .contiguous) != (request.mobility == .contiguous), "\(error), and \(block) of zone \(zone) was free")
        // One that is wholly free would be anybody's.
        let whole = FrameRange(start: block.aligned(to: pageblock.frames, .down), count: pageblock.frames)
        let isWhole = oracle.zones[zone].memory.contains { $0.contains(whole) } && oracle.isAll(whole, .free)
        try demand(!isWhole, "\(error), and the pageblock of \(block) was free")
      }
    }
  }

  private mutating func claimFolio(_ place: UInt64, _ order: Order, _ mobility: FrameMobility) throws(PropertyFailure) {
    let head = FrameNumber(place % oracle.end).aligned(to: order.frames, .down)
    guard let index = machine.zones.zone(of: head) else { return }
    let zone = Int(index.rawValue)
    let range = FrameRange(blockAt: head, order: order)
    let span = oracle.zones[zone].span
    do throws(FolioError) {
      _ = try machine.zones[index].claimFolio(at: head, order: order, mobility).head
    } catch {
      let expected: FolioError? =
        span.contains(range) ? oracle.firstHeld(range, of: zone).map { .notFree($0) } : .noSuchFrame(span.end)
      refused += 1
      return try demand(error == expected, "\(error), and not \(String(describing: expected))")
    }
    try demand(oracle.isAll(range, .free), "claimed \(range), which was not free")
    oracle.hold(head, order, zone: zone)
  }

  private mutating func claim(_ place: UInt64, _ length: UInt64) throws(PropertyFailure) {
    let start = FrameNumber(place % oracle.end)
    guard let index = machine.zones.zone(of: start) else { return }
    let zone = Int(index.rawValue)
    let range = FrameRange(start: start, count: FrameCount(length))
    let isFree = oracle.firstHeld(range, of: zone) == nil
    do throws(FreeTreeError) {
      try machine.zones[index].claim(range)
    } catch {
      let expected = oracle.zones[zone].span.contains(range) ? FreeTreeError.notFree : .outsideZone
      return try demand(!isFree && error == expected, "\(error) for \(range)")
    }
    try demand(isFree, "claimed \(range), which was not free")
    oracle.claim(range, zone: zone)
  }

  private mutating func release(_ number: Int) throws(PropertyFailure) {
    guard let index = machine.zones.zone(of: oracle.claims[number].start) else { throw PropertyFailure("a claim of no zone") }
    let range = oracle.release(number, zone: Int(index.rawValue))
    do { try machine.zones[index].release(range) } catch { throw PropertyFailure("\(error) for \(range)") }
    do throws(FreeTreeError) {
      try machine.zones[index].release(range)
    } catch {
      return try demand(error == .alreadyFree, "\(error) at the second release")
    }
    throw PropertyFailure("\(range) was released twice")
  }

  // MARK: Folios

  /// Frees, or is refused as the oracle says.
  private mutating func free(_ frame: FrameNumber, _ order: Order, _ cpu: CPUIndex) throws(PropertyFailure) {
    let expected = refusal(frame, order)
    do throws(FolioError) {
      try machine.zones.free(at: frame, order: order, on: cpu)
    } catch {
      refused += 1
      return try demand(error == expected, "\(error), and not \(String(describing: expected))")
    }
    try demand(expected == nil, "freed \(frame), and not \(String(describing: expected))")
    oracle.free(frame)
    // At once a second time.
    do throws(FolioError) {
      try machine.zones.free(at: frame, order: order, on: cpu)
    } catch {
      return try demand(error == .notAllocated(frame), "\(error) at the second free")
    }
    throw PropertyFailure("\(frame) was freed twice")
  }

  private borrowing func refusal(_ frame: FrameNumber, _ order: Order) -> FolioError? {
    guard machine.zones.zone(of: frame) != nil else { return .noSuchFrame(frame) }
    guard let head = oracle.head(of: frame), let folio = oracle.folios[head] else { return .notAllocated(frame) }
    if head != frame { return .tail(frame, head: head) }
    if folio.order != order { return .wrongOrder(said: order, is: folio.order) }
    return folio.references == 1 ? nil : .busy(head, .references(folio.references), mappings: 0)
  }

  private mutating func split(_ pick: UInt64, _ order: Order) throws(PropertyFailure) {
    guard let head = oracle.heads.picked(pick), let held = oracle.folios[head] else { return }
    // Not more parts than the oracle can look through.
    let order = Order(max(order.rawValue, held.order.rawValue > 8 ? held.order.rawValue - 8 : 0))
    var parts: [FrameNumber] = []
    do throws(FolioError) {
      try machine.zones.split(try machine.zones.adopt(head), to: order) { parts.append($0.head) }
    } catch {
      let expected: FolioError =
        order < held.order
        ? .busy(head, .references(held.references), mappings: 0) : .notSmaller(order, than: held.order)
      return try demand(error == expected && parts.isEmpty, "\(error), and not \(expected)")
    }
    try demand(order < held.order && held.references == 1, "split \(head) to order \(order)")
    let expected = (0..<(held.order.frames / order.frames)).map { head + order.frames * $0 }
    try demand(parts == expected, "parts of \(head): \(parts)")
    oracle.split(head, to: order)
  }

  private mutating func tryGet(_ frame: FrameNumber, _ cpu: CPUIndex) throws(PropertyFailure) {
    let head = oracle.head(of: frame)
    let place: FolioPlace
    do throws(FolioError) {
      place = try machine.zones.tryGet(frame, on: cpu)
    } catch {
      let expected = machine.zones.zone(of: frame) == nil ? FolioError.noSuchFrame(frame) : .notAllocated(frame)
      return try demand(head == nil && error == expected, "\(error) for \(frame)")
    }
    try demand(place.head == head && oracle.folios[place.head]?.order == place.order, "\(frame) is in \(place)")
    oracle.changeReferences(place.head, by: 1)
  }

  private mutating func put(_ head: FrameNumber, _ cpu: CPUIndex) {
    machine.zones.put(head, on: cpu)
    if oracle.folios[head]?.references == 1 { oracle.free(head) } else { oracle.changeReferences(head, by: -1) }
  }

  // MARK: Comparison

  private borrowing func compare() throws(PropertyFailure) {
    for index in machine.zones.indices {
      let (found, expected) = (machine.zones[index].freeFrames(), oracle.freeFrames[Int(index.rawValue)])
      try demand(found == expected, "zone \(index) has \(found) free frames, and not \(expected)")
    }
    // One folio from its last frame.
    guard let head = oracle.heads.last, let folio = oracle.folios[head] else { return }
    let place = try? machine.zones.folio(containing: head + (folio.order.frames - FrameCount(1)))
    try demand(place == FolioPlace(head: head, order: folio.order), "\(head) is \(String(describing: place))")
  }

  private mutating func recount() throws(PropertyFailure) {
    checks += 1
    let held: FrameCount
    do { held = try machine.checkInvariants() } catch { throw PropertyFailure("\(error)") }
    let expected = oracle.folios.values.reduce(FrameCount.zero) { $0 + $1.order.frames }
    try demand(held == expected, "\(held) frames in folios, and not \(expected)")
  }

  private mutating func finish() throws(PropertyFailure) {
    for head in oracle.heads {
      while oracle.folios[head] != nil { put(head, cpu(0)) }
    }
    while !oracle.claims.isEmpty { try release(oracle.claims.count - 1) }
    machine.zones.drain()
    try compare()
    try recount()
    for index in machine.zones.indices {
      let (free, managed) = (machine.zones[index].freeInTree(), machine.zones[index].managed)
      try demand(free == managed && managed == oracle.managed[Int(index.rawValue)], "zone \(index): \(free) of \(managed)")
    }
  }
}

extension Array {
  fileprivate func picked(_ number: UInt64) -> Element? { isEmpty ? nil : self[Int(number % UInt64(count))] }
}
