import FrameMap
import HugePools
import Megalith
import MemoryUnits
import Testing

@testable import AddressSpaces

/// Runs tables of steps: a line says who does what, and what the counters of the pool are then.
///
///     p map a 3                  | 4 4 3 0
///     fork p c                   | 4 4 3 0
///     c write a 0 !noHugePage    | 4 4 3 0
///
/// The first word is a space, or a verb that needs none. Ranges are `from..to`, half-open, in pages of what they name; `~` adds a
/// base page. `!` names the error that is to come, and a dot what it says; everything has to be as before then, save with `!~`.
/// Counters are `nr free resv surplus`; further columns are those of another size (`1G: 1 1 0 0`), or free pages by node (`nodes: 2 1`).
/// Everything is recounted after every step.
final class Stage<Storage: MachineStorage> {
  let world: World<Storage>
  let size: PageSize
  var spaces: [String: AddressSpace] = [:]
  var ranges: [String: Place] = [:]
  var objects: [String: SharedObject] = [:]
  var deleted: Set<String> = []
  var subpools: [String: Subpool] = [:]
  var pins: [String: [FrameRange]] = [:]
  /// Steps run so far, in all tables of the stage.
  private(set) var steps = 0

  /// Addresses that a name stands for.
  struct Place {
    let range: VirtualRange
    let page: PageSize
  }

  /// A line that cannot be read, or whose step went wrong so that those after it mean nothing.
  struct Stop: Error, CustomStringConvertible {
    let description: String
  }

  init(_ world: World<Storage>, _ size: PageSize) {
    self.world = world
    self.size = size
  }

  func run(_ table: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
    for line in table.split(separator: "\n") {
      let columns = line.split(separator: "|").map { $0.split(separator: " ").map(String.init) }
      guard let first = columns.first, !first.isEmpty else { continue }
      steps += 1
      let step = Comment(rawValue: "step \(steps): \(first.joined(separator: " "))")
      var words = first
      var expected: (name: String, keepsAll: Bool)?
      if let last = words.last, last.hasPrefix("!") {
        words.removeLast()
        let keepsAll = !last.hasPrefix("!~")
        expected = (String(last.dropFirst(keepsAll ? 1 : 2)), keepsAll)
      }
      try act(words, expected, step, sourceLocation)
      try recount(step, sourceLocation)
      for column in columns.dropFirst() { compare(column, step, sourceLocation) }
    }
  }

  private func act(
    _ words: [String], _ expected: (name: String, keepsAll: Bool)?, _ step: Comment, _ sourceLocation: SourceLocation
  ) throws {
    let before = expected?.keepsAll == true ? dump() : []
    do {
      try perform(words)
    } catch let stop as Stop {
      throw stop
    } catch {
      guard let expected else {
        Issue.record("\(step): \(error)", sourceLocation: sourceLocation)
        throw Stop(description: "\(step) failed")
      }
      let said = "\(error)"
      let parts = expected.name.split(separator: ".").map(String.init)
      let isIt = parts.first.map { said.hasPrefix($0) } ?? false
      #expect(isIt && parts.allSatisfy { said.contains($0) }, "\(step): \(said)", sourceLocation: sourceLocation)
      guard expected.keepsAll else { return }
      let after = dump()
      for (old, new) in zip(before, after) where old != new {
        Issue.record("\(step): \(old) became \(new)", sourceLocation: sourceLocation)
      }
      #expect(before.count == after.count, step, sourceLocation: sourceLocation)
      return
    }
    if expected != nil { Issue.record("\(step): nothing was thrown", sourceLocation: sourceLocation) }
  }

  private func recount(_ step: Comment, _ sourceLocation: SourceLocation) throws {
    do {
      try world.checkStep()
    } catch {
      Issue.record("\(step): \(error)", sourceLocation: sourceLocation)
      throw Stop(description: "the books are wrong after \(step)")
    }
  }

  private func compare(_ column: [String], _ step: Comment, _ sourceLocation: SourceLocation) {
    guard let first = column.first else { return }
    guard first.hasSuffix(":") else {
      #expect(world.counters(size) == column.joined(separator: " "), step, sourceLocation: sourceLocation)
      return
    }
    let rest = column.dropFirst().joined(separator: " ")
    if first == "nodes:" {
      let free = world.machine.zones.nodes.map { "\(world.machine.memory.pools.counts(size, on: $0).free)" }
      #expect(free.joined(separator: " ") == rest, step, sourceLocation: sourceLocation)
    } else if let other = pageSize(named: String(first.dropLast())) {
      #expect(world.counters(other) == rest, step, sourceLocation: sourceLocation)
    }
  }

  /// Ends what the tables left: nothing is reserved or surplus then, every page is free, and no space has more than its root's table.
  func finish(sourceLocation: SourceLocation = #_sourceLocation) throws {
    let memory = world.machine.memory.shape
    for name in spaces.keys.sorted() {
      guard let space = spaces[name] else { continue }
      try world.unmap(VirtualRange(start: VirtualAddress(0) + world.base, end: memory.end), in: space)
      let tables = world.machine.memory.tableFrames(of: space)
      #expect(tables == memory.tableOrder(memory.levels.below).frames, "tables of \(name)", sourceLocation: sourceLocation)
      world.end(space)
    }
    for name in objects.keys.sorted() where !deleted.contains(name) {
      if let object = objects[name] { world.machine.memory.delete(object, on: world.cpu) }
    }
    for subpool in subpools.values { world.machine.memory.pools.close(subpool, zones: world.machine.zones, on: world.cpu) }
    try world.checkStep()
    for size in world.machine.memory.pools.sizes {
      let counts = world.machine.memory.pools.counts(size)
      #expect(
        counts.free == counts.total && counts.reserved == .zero && counts.surplus == .zero, "at the end: \(counts)",
        sourceLocation: sourceLocation)
    }
    try world.finish()
  }

  // MARK: Words

  func pageSize(named name: String) -> PageSize? {
    if name == "base" { return PageSize(shift: world.machine.memory.shape.baseShift) }
    return world.machine.memory.pools.sizes.first { "\($0)" == name }
  }

  func space(_ name: String) throws -> AddressSpace {
    guard let space = spaces[name] else { throw Stop(description: "no space is called \(name)") }
    return space
  }

  func place(_ name: String) throws -> Place {
    guard let place = ranges[name] else { throw Stop(description: "nothing is called \(name)") }
    return place
  }

  func object(_ name: String) throws -> SharedObject {
    guard let object = objects[name] else { throw Stop(description: "no object is called \(name)") }
    return object
  }

  func number(_ word: String) throws -> UInt64 {
    guard let number = UInt64(word) else { throw Stop(description: "\(word) is no number") }
    return number
  }

  /// `2` pages into a place, or, `2~`, a base page further.
  func address(_ word: String, in place: Place) throws -> VirtualAddress {
    let isOdd = word.hasSuffix("~")
    let pages = try number(isOdd ? String(word.dropLast()) : word)
    return place.range.start + place.page.bytes * pages + (isOdd ? world.base : .zero)
  }

  /// `1..3`, or one page.
  func range(_ word: String, in place: Place) throws -> VirtualRange {
    let ends = word.split(separator: ".").map(String.init)
    let start = try address(ends[0], in: place)
    return VirtualRange(start: start, end: ends.count == 2 ? try address(ends[1], in: place) : start + place.page.bytes)
  }

  func pages(_ word: String) throws -> UnitRange<PageIndex> {
    let ends = try word.split(separator: ".").map { try number(String($0)) }
    return UnitRange(start: PageIndex(ends[0]), end: PageIndex(ends.count == 2 ? ends[1] : ends[0] + 1))
  }
}
