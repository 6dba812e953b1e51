import FrameMap
import HugePools
import Megalith
import MemoryUnits

@testable import AddressSpaces

extension Stage {
  /// Everything that a refused step must leave alone, as text: counters, mappings, entries with their pages' counts, objects.
  func dump() -> [String] {
    var lines = world.machine.memory.pools.sizes.map { "\($0): \(world.counters($0))" }
    for name in spaces.keys.sorted() {
      guard let space = spaces[name] else { continue }
      lines.append("\(name): \(world.machine.memory.tableFrames(of: space)) table frames")
      for mapping in space.state.withLock({ $0.mappings.all }) {
        lines.append(
          "\(name): \(mapping.range) \(mapping.protection.rawValue) \(mapping.marks.rawValue) from \(mapping.offset)"
            + " used \(mapping.consumed.regions)")
      }
      let walk = world.machine.memory.walk
      let all = VirtualRange(start: VirtualAddress(0), end: walk.shape.end)
      walk.forEachLeaf(space.root, in: all, unit: ByteCount(1)) { place, entry in
        let counts = walk.frames.descriptor(entry.frame).map { "\($0.pointee.counts)" } ?? "-"
        lines.append("\(name): \(place.address) \(entry.frame) \(entry.marks.rawValue): \(counts)")
      }
    }
    for name in objects.keys.sorted() where !deleted.contains(name) {
      guard let object = objects[name] else { continue }
      lines.append("\(name): \(object.size) \(object.resident) \(object.state.withLock { $0.reservations.regions })")
    }
    for name in subpools.keys.sorted() {
      if let subpool = subpools[name] { lines.append("\(name): \(subpool.used) \(subpool.kept)") }
    }
    return lines
  }

  /// The frame behind an address; nil where none is mapped.
  func frame(at address: VirtualAddress, in space: AddressSpace) -> FrameNumber? {
    let walk = world.machine.memory.walk
    let (place, entry) = walk.find(space.root, address, downTo: TableLevel(0))
    guard entry.isLeaf else { return nil }
    return entry.frame + FrameCount(address - place.address, walk.shape.baseShift, rounded: .down)
  }
}
