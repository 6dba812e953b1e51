public import FrameAllocator
public import FrameMap
public import HugePools
public import MemoryUnits
public import Mobility
import PhysicalLayout

/// A device that lends a machine as much of a region as is asked for, in units that may be smaller than memory blocks.
///
/// Units of a block that are not plugged are withheld from the block's zone; a block without a plugged unit is not there. Units that are
/// as large as blocks, or larger, come and go as whole blocks.
///
/// **Threads.** One at a time for each device.
///
/// Linux: `drivers/virtio/virtio_mem.c`: `virtio_mem_sbm_plug_request`, `virtio_mem_bbm_plug_request` and their counterparts.
public struct VirtioMemory: ~Copyable {
  public let region: FrameRange
  public let node: NodeID
  /// Frames of what is plugged at once. Linux: `sb_size`, `bb_size`.
  public let unit: FrameCount
  /// Where its memory goes when it comes.
  public let zone: OnlineZone
  public let memmap: MemmapPlace
  private let block: FrameCount
  /// By unit of the region.
  private var isPlugged: [Bool]

  /// Traps where the region is not whole blocks, or the unit no power of two of at least a pageblock, or smaller than a block that is
  /// to hold its own descriptors.
  public init(
    region: FrameRange, node: NodeID, unit: FrameCount, zone: OnlineZone, memmap: MemmapPlace = .elsewhere,
    of hotplug: borrowing MemoryHotplug, pageblock: Order
  ) {
    block = hotplug.geometry.blockFrames
    let step = Swift.max(block, unit)
    precondition(unit >= block || memmap == .elsewhere, "descriptors of a block would lie in units that come and go")
    precondition(unit.rawValue.nonzeroBitCount == 1 && unit >= pageblock.frames, "a unit is at least a pageblock")
    precondition(region.start.isAligned(to: step) && region.end.isAligned(to: step), "a region is whole blocks and units")
    self.region = region
    self.node = node
    self.unit = unit
    self.zone = zone
    self.memmap = memmap
    isPlugged = [Bool](repeating: false, count: Int(region.count / unit))
  }

  /// What the machine has of the region.
  public var plugged: FrameCount { unit * UInt64(isPlugged.count { $0 }) }

  private func range(_ place: Int) -> FrameRange { FrameRange(start: region.start + unit * UInt64(place), count: unit) }
  /// The units that share a block with this one.
  private func neighbours(_ place: Int) -> Range<Int> {
    let units = Int(Swift.max(block / unit, 1))
    return place / units * units..<(place / units + 1) * units
  }

  /// Plugs so many frames more, whole units, lowest first; those of blocks that are there come first.
  ///
  /// - Returns: how many were plugged: fewer where the region ends.
  /// - Throws: as ``MemoryHotplug/add(_:node:memmap:map:zones:on:lend:)`` and ``MemoryHotplug/online(_:_:zones:)``, where not even the
  ///   first unit could be plugged; nothing has changed then.
  /// - Complexity: O(units of the region), and what comes. Linux: `virtio_mem_plug_request`.
  public mutating func plug<Storage>(
    _ frames: FrameCount, hotplug: borrowing MemoryHotplug, map: borrowing FrameMap<Storage>, zones: borrowing ZoneSet,
    on cpu: CPUIndex, lend: ([FrameRange]) -> Void = { _ in }
  ) throws(HotplugError) -> FrameCount {
    var done = FrameCount.zero
    for startsBlocks in [false, true] {
      for place in isPlugged.indices where !isPlugged[place] {
        guard done + unit <= frames else { return done }
        let hasBlock = neighbours(place).contains { isPlugged[$0] }
        guard hasBlock != startsBlocks || startsBlocks else { continue }
        do throws(HotplugError) {
          if hasBlock {
            try hotplug.supply(range(place), zones: zones)
          } else {
            try begin(place, hotplug, map, zones, cpu, lend)
          }
        } catch {
          guard done > .zero else { throw error }
          return done
        }
        isPlugged[place] = true
        done += unit
      }
    }
    return done
  }

  /// Unplugs so many frames, whole units: first those that are wholly free, then those that can be emptied, each highest first.
  ///
  /// - Returns: how many were unplugged: fewer where what is left cannot be emptied.
  /// - Throws: `.cancelled` where the caller did not want to go on, and nothing was unplugged.
  /// - Complexity: O(units of the region), and the moves. Linux: `virtio_mem_unplug_request`.
  public mutating func unplug<Storage, Owner, Mover>(
    _ frames: FrameCount, hotplug: borrowing MemoryHotplug, map: borrowing FrameMap<Storage>, zones: borrowing ZoneSet,
    pools: borrowing HugePools, with context: MigrationContext<Owner, Mover>, shouldGoOn: () -> Bool = { true }
  ) throws(HotplugError) -> FrameCount {
    var done = FrameCount.zero
    for takesUsed in [false, true] {
      for place in isPlugged.indices.reversed() where isPlugged[place] {
        guard done + unit <= frames else { return done }
        guard takesUsed || isFree(range(place), hotplug, zones) else { continue }
        do throws(HotplugError) {
          try end(place, hotplug, map, zones, pools, context, shouldGoOn)
        } catch {
          if case .cancelled = error {
            guard done > .zero else { throw error }
            return done
          }
          continue
        }
        isPlugged[place] = false
        done += unit
      }
    }
    return done
  }

  /// Whether all is free that a zone has of the unit.
  private func isFree(_ range: FrameRange, _ hotplug: borrowing MemoryHotplug, _ zones: borrowing ZoneSet) -> Bool {
    guard let index = zones.zone(of: range.start) else { return false }
    zones[index].drain()
    return zones[index].freeFrames(in: range) == hotplug.usableFrames(in: range)
  }

  private borrowing func begin<Storage>(
    _ place: Int, _ hotplug: borrowing MemoryHotplug, _ map: borrowing FrameMap<Storage>, _ zones: borrowing ZoneSet,
    _ cpu: CPUIndex, _ lend: ([FrameRange]) -> Void
  ) throws(HotplugError) {
    let whole = unit >= block ? range(place) : FrameRange(start: range(place).start.aligned(to: block, .down), count: block)
    try hotplug.addOnline(
      whole, node: node, memmap: memmap, to: zone, only: range(place), map: map, zones: zones, on: cpu, lend: lend)
  }

  private borrowing func end<Storage, Owner, Mover>(
    _ place: Int, _ hotplug: borrowing MemoryHotplug, _ map: borrowing FrameMap<Storage>, _ zones: borrowing ZoneSet,
    _ pools: borrowing HugePools, _ context: MigrationContext<Owner, Mover>, _ shouldGoOn: () -> Bool
  ) throws(HotplugError) {
    let others = neighbours(place).filter { $0 != place && isPlugged[$0] }
    guard others.isEmpty else {
      return try hotplug.withhold(
        range(place), zones: zones, pools: pools, with: context, shouldGoOn: shouldGoOn)
    }
    let whole = unit >= block ? range(place) : FrameRange(start: range(place).start.aligned(to: block, .down), count: block)
    try hotplug.offlineRemove(whole, map: map, zones: zones, pools: pools, with: context, shouldGoOn: shouldGoOn)
  }
}

extension MemoryHotplug {
  /// Frames of `range` that hold no descriptors of blocks that came later.
  ///
  /// - Complexity: O(blocks in the range).
  borrowing func usableFrames(in range: FrameRange) -> FrameCount {
    state.withLock { state in
      state.blocks[state.places(in: range)].reduce(FrameCount.zero) { $0 + $1.usable.intersection(range).count }
    }
  }

  /// Adds blocks and puts them online; the zone gets `part` alone, and the rest is withheld. All or nothing.
  borrowing func addOnline<Storage>(
    _ range: FrameRange, node: NodeID, memmap: MemmapPlace, to wanted: OnlineZone, only part: FrameRange,
    map: borrowing FrameMap<Storage>, zones: borrowing ZoneSet, on cpu: CPUIndex, lend: ([FrameRange]) -> Void
  ) throws(HotplugError) {
    let plan = try plan(adding: range, node: node, memmap: memmap, model: map.model)
    try state.withLock { (state) throws(HotplugError) in
      try add(plan, as: .offline, staysRemovable: true, &state, map: map, zones: zones, on: cpu, lend: lend)
      let withheld = state.blocks[state.places(in: range)].flatMap { $0.usable.subtracting([part]) }
      do throws(HotplugError) {
        _ = try online(range, wanted, withheld, &state, zones: zones)
      } catch {
        removeForSure(range, &state, map: map, zones: zones, on: cpu)
        throw error
      }
      map.settle([range])
    }
  }

  /// Takes blocks offline and removes them. All or nothing: what the removal needs is there before anything goes.
  borrowing func offlineRemove<Storage, Owner, Mover>(
    _ range: FrameRange, map: borrowing FrameMap<Storage>, zones: borrowing ZoneSet, pools: borrowing HugePools,
    with context: MigrationContext<Owner, Mover>, shouldGoOn: () -> Bool
  ) throws(HotplugError) {
    try state.withLock { (state) throws(HotplugError) in
      let places = try state.wholePlaces(of: range, geometry.blockFrames)
      let going = state.ranges(state.leaving(places).going)
      do throws(FrameMapError) {
        try map.makeRemovable(going)
      } catch {
        throw HotplugError(error, range)
      }
      do throws(HotplugError) {
        _ = try offline(range, &state, zones: zones, pools: pools, with: context, shouldGoOn: shouldGoOn)
      } catch {
        map.settle(going)
        throw error
      }
      removeForSure(range, &state, map: map, zones: zones, on: context.cpu)
    }
  }

  /// Removes blocks that are offline, and whose removal the map is ready for.
  private borrowing func removeForSure<Storage>(
    _ range: FrameRange, _ state: inout HotplugState, map: borrowing FrameMap<Storage>, zones: borrowing ZoneSet,
    on cpu: CPUIndex
  ) {
    do throws(HotplugError) {
      try remove(range, &state, map: map, zones: zones, on: cpu)
    } catch {
      preconditionFailure("memory cannot be removed that the map was ready to lose")
    }
  }
}
