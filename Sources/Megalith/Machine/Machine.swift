public import AddressSpaces
public import FrameAllocator
public import FrameContents
public import FrameMap
public import HostArena
public import Hotplug
import HugePools
public import MemoryUnits
public import PhysicalLayout

/// Why there is no machine.
public enum MachineError: Error, Hashable, Sendable {
  case map(FrameMapError)
  /// The arena cannot hold descriptors.
  case arena(ArenaError)
  /// No storage for the zones' books.
  case storage(MemmapStorageError)
  /// The machine's memory does not hold the frames that its kernel's descriptors would take.
  case noRoomForMemmap(wanted: ByteCount, missing: ByteCount)
}

/// A physical memory: descriptors, zones and, where it has them, contents.
///
/// It boots as a kernel does: from a layout, with what was reserved before, descriptors set aside, huge pages of the command line
/// taken, and the rest given to the zones range by range, so that booting costs what is reserved and not what is free.
///
/// It owns everything, and cannot be copied. **Threads.** Any, one at a time for each processor named; ``checkInvariants()`` and
/// ``snapshot()`` are exact while nobody else is at work.
///
/// Linux: `start_kernel` up to `mm_core_init`.
public struct Machine<Storage: MachineStorage>: ~Copyable, Sendable {
  public let layout: BootLayout
  public let policy: MachinePolicy
  /// What never reached the zones.
  public let boot: BootMemory
  public let map: FrameMap<Storage>
  /// Zones, huge pools, and address spaces.
  public let memory: VirtualMemory<Storage.Mover>
  /// Where the frames' bytes are; nil for a machine that is metadata only.
  public let contents: DirectMap?
  /// Memory that comes and goes.
  public let hotplug: MemoryHotplug
  /// Where descriptors of added memory are to lie, for storage that keeps them in the machine's frames.
  let lender: (any MemmapLender)?

  /// Boots a machine.
  ///
  /// - Parameters:
  ///   - commandLine: of the boot, for its huge pages; the layout was made from the same.
  ///   - reserved: frames taken before: a kernel's image, its initial file system, and where the policy says that descriptors lie
  ///     elsewhere, theirs.
  ///   - storage: gets descriptors, tables and the zones' books.
  ///   - contents: nil for a machine that is metadata only.
  /// - Complexity: O(ranges of memory + sections with memory), whatever the amount of memory.
  public init(
    _ layout: BootLayout, model: MemoryModel, policy: MachinePolicy = MachinePolicy(),
    commandLine: KernelCommandLine = KernelCommandLine(), reserved: [FrameRange] = [], storage: Storage,
    contents: DirectMap? = nil
  ) throws(MachineError) {
    try self.init(
      layout, model: model, policy: policy, commandLine: commandLine, reserved: reserved, storage: storage, contents: contents,
      memmap: { [] })
  }

  /// - Parameter memmap: the frames of this machine that `storage` put descriptors in; asked once the map is made.
  init(
    _ layout: BootLayout, model: MemoryModel, policy: MachinePolicy, commandLine: KernelCommandLine, reserved: [FrameRange],
    storage: Storage, contents: DirectMap?, memmap: () -> [FrameRange], lender: (any MemmapLender)? = nil
  ) throws(MachineError) {
    try self.init(layout, model: model, policy: policy, storage, contents, lender) { () throws(MachineError) in
      try BootMemory(layout, model, policy, commandLine, reserved: reserved, memmap: memmap())
    }
    fillZones()
    Machine.rebalance(zones, layout.architecture, policy)
    fillPools(commandLine)
    memory.setTransparentPolicy(policy.transparent ?? Machine.transparentPolicy(layout.architecture, commandLine))
  }

  /// Makes a machine whose zones have none of their memory yet, nor watermarks: for who knows what each frame is in use for, and
  /// fills the zones accordingly, all of their memory, before the machine is used. Its descriptors lie elsewhere.
  ///
  /// See ``FrameAllocator/FolioZone/manage(_:as:_:upTo:)``.
  public init(
    unfilled layout: BootLayout, model: MemoryModel, policy: MachinePolicy = MachinePolicy(), storage: Storage,
    contents: DirectMap? = nil
  ) throws(MachineError) {
    var policy = policy
    policy.memmap = .elsewhere
    try self.init(layout, model: model, policy: policy, storage, contents, nil) { [policy] () throws(MachineError) in
      try BootMemory(layout, model, policy, KernelCommandLine(), reserved: [], memmap: [])
    }
  }

  private init(
    _ layout: BootLayout, model: MemoryModel, policy: MachinePolicy, _ storage: Storage, _ contents: DirectMap?,
    _ lender: (any MemmapLender)?, boot makeBoot: () throws(MachineError) -> BootMemory
  ) throws(MachineError) {
    let cpus = policy.processors.rawValue
    let map: FrameMap<Storage>
    do {
      map = try FrameMap(
        FrameMapLayout(layout, limit: Machine.mapLimit(layout, policy)), model: model, storage: storage, cpuLimit: CPUIndex(cpus))
    } catch {
      throw .map(error)
    }
    let boot = try makeBoot()
    let pageblocks = policy.pageblocks ?? PageblockPolicy(order: layout.architecture.pageblockOrder)
    let top: Order? =
      switch policy.topOrder {
      case .architecture: layout.architecture.maxOrder
      case .unlimited: nil
      case .order(let order): order
      }
    let zones = try Machine.zones(
      layout, table: map.table, topOrder: top, pageblocks, cpus: cpus, policy, memmap: boot.memmap, storage)
    self.layout = layout
    self.policy = policy
    self.boot = boot
    self.contents = contents
    self.map = map
    let pause: @Sendable () -> Void = { storage.pause() }
    let pools = HugePools(
      sizes: layout.architecture.hugeSizes, baseShift: layout.architecture.baseShift, nodes: zones.nodes,
      policy: policy.hugePools,
      pause: pause)
    self.lender = lender
    hotplug = Machine.makeHotplug(layout, policy, pageblocks, hasOwnDescriptors: lender != nil, pause: pause)
    let tables = TableMemory(layout, upTo: policy.hotplug.map { Machine.limit($0, layout) }, contents, storage)
    memory = VirtualMemory(
      zones: zones, pools: pools, shape: TableShape(layout.architecture, extraLevel: policy.extraTableLevel), contents: contents,
      tables: tables.map, barrier: { storage.barrier() }, pause: pause, release: { tables.release() })
  }

  /// Pages of the lowest level above the base pages, for who asks, unless the command line says otherwise.
  ///
  /// Linux: `transparent_hugepage=`, with the default of `CONFIG_TRANSPARENT_HUGEPAGE_MADVISE`.
  private static func transparentPolicy(_ architecture: Architecture, _ commandLine: KernelCommandLine) -> TransparentPolicy {
    let shape = TableShape(architecture)
    let sizes = shape.leaves.filter { $0.level.rawValue == 1 && $0.entries == EntryCount(1) }.map { $0.size }
    switch commandLine.transparentHugePages {
    case .always: return TransparentPolicy(sizes, .always)
    case .never: return TransparentPolicy()
    case .onAdvice, nil: return TransparentPolicy(sizes, .advised)
    }
  }

  /// Sets all watermarks by what the zones have now.
  static func rebalance(_ zones: borrowing ZoneSet, _ architecture: Architecture, _ policy: MachinePolicy) {
    zones.setWatermarks(minimum: minimumFree(zones, architecture, policy), scale: policy.watermarkScale)
  }

  /// Linux: `init_per_zone_wmark_min`, `khugepaged`'s start.
  private static func minimumFree(
    _ zones: borrowing ZoneSet, _ architecture: Architecture, _ policy: MachinePolicy
  ) -> FrameCount {
    let shift = architecture.baseShift
    let pageblock = policy.pageblocks?.order ?? architecture.pageblockOrder
    if let wanted = policy.minimumFree { return FrameCount(wanted, shift, rounded: .up) }
    let frames = zones.kernelFrames()
    let usual = Watermarks.defaultMinimum(frames, shift)
    guard policy.keepsPageblocksFree else { return usual }
    var forKernel = ZoneCount.zero
    for index in zones.indices where zones.descriptions[Int(index.rawValue)].kind <= .normal && zones[index].managed > .zero {
      forKernel += ZoneCount(1)
    }
    return max(usual, Watermarks.minimumForHugePages(zones: forKernel, pageblock: pageblock, frames: frames))
  }

  private static func zones(
    _ layout: BootLayout, table: FrameTable, topOrder: Order?, _ pageblocks: PageblockPolicy, cpus: UInt32,
    _ policy: MachinePolicy, memmap: [FrameRange], _ storage: Storage
  ) throws(MachineError) -> ZoneSet {
    let descriptions = descriptions(layout, policy)
    let books = ZoneSet.storageBytes(descriptions, cpus: cpus, policy: pageblocks).aligned(to: ByteCount(64), .up)
    let unit = layout.architecture.validityFrames
    let limit = policy.hotplug.map { Machine.limit($0, layout) }
    let units = limit.map { LateFrames.storageBytes(unit: unit, limit: $0) } ?? .zero
    let size = (books + units).aligned(to: storage.granule, .up)
    let base: UnsafeMutableRawPointer
    do {
      base = try storage.reserve(size, for: .tables)
    } catch {
      throw .storage(error)
    }
    do {
      try storage.commit(base, size, for: .tables)
    } catch {
      storage.release(base, size)
      throw .storage(error)
    }
    let address = UInt(bitPattern: base)
    // The units lie behind the zones' books, in the same reservation.
    let late = limit.map {
      LateFrames(
        unit: unit, limit: $0,
        storage: UnsafeMutableRawBufferPointer(start: base + Int(books.rawValue), count: Int(units.rawValue)))
    }
    return ZoneSet(
      descriptions, table: table, topOrder: topOrder, policy: pageblocks, cpus: cpus, distances: policy.distances,
      memmap: memmap, late: late, storage: UnsafeMutableRawBufferPointer(start: base, count: Int(books.rawValue)),
      barrier: { storage.barrier() },
      release: {
        // The reservation made above, which nobody uses any more.
        guard let base = UnsafeMutableRawPointer(bitPattern: address) else { return }
        storage.release(base, size)
      })
  }

  /// Gives the zones all memory that is not reserved, and takes the boot's huge pages out again as folios.
  private borrowing func fillZones() {
    for index in zones.indices {
      for range in zones.descriptions[Int(index.rawValue)].memory {
        for free in boot.free(in: range) {
          // Ranges of the layout are apart from each other, and nothing was free before.
          do { try zones[index].manage(free) } catch { preconditionFailure("memory was given to a zone twice") }
        }
      }
    }
    for pages in boot.hugePages {
      let order = pages.size.order(baseShift: layout.architecture.baseShift)
      for head in pages.frames {
        guard let zone = zones.zone(of: head),
          let folio = try? zones[zone].claimFolio(at: head, order: order, .unmovable, kind: .hugePool)
        else { preconditionFailure("a boot-time huge page is not free memory of one zone") }
        memory.pools.adopt(folio, pages.size, on: pages.node, zones: zones)
      }
    }
  }

  /// Brings the pools of ordinary huge pages to the size that the command line asks for, or as near as there is memory; gigantic ones
  /// were set aside before.
  ///
  /// Linux: `hugetlb_init`, `hugetlb_hstate_alloc_pages`.
  private borrowing func fillPools(_ commandLine: KernelCommandLine) {
    let architecture = layout.architecture
    for request in commandLine.hugePages {
      let size = request.size ?? commandLine.defaultHugePageSize ?? architecture.hugeSizes.min()
      guard let size, memory.pools.sizes.contains(size), !architecture.isGigantic(size) else { continue }
      let context = migration(of: memory.owner)
      switch request.amount {
      case .total(let count): memory.pools.setSize(size, to: PageCount(count.rawValue), zones: zones, with: context)
      case .perNode(let shares):
        for share in shares where zones.nodes.contains(share.node) {
          memory.pools.setSize(size, to: PageCount(share.count.rawValue), on: share.node, zones: zones, with: context)
        }
      }
    }
  }

  /// The zones of the memory.
  public var zones: ZoneSet {
    _read { yield memory.zones }
  }

  // MARK: Frames

  /// Hands out a folio. See ``ZoneSet/allocate(_:_:on:)``.
  public borrowing func allocate(
    _ order: Order, _ request: FrameRequest, on cpu: CPUIndex = CPUIndex(0)
  ) throws(FolioError) -> Folio {
    let folio = try zones.allocate(order, request, on: cpu)
    checkStep()
    return folio
  }

  /// Gives a folio back. See ``ZoneSet/free(_:on:)``.
  public borrowing func free(_ folio: consuming Folio, on cpu: CPUIndex = CPUIndex(0)) {
    zones.free(folio, on: cpu)
    checkStep()
  }

  borrowing func checkStep() {
    guard policy.checksEveryStep else { return }
    do { try checkInvariants() } catch { preconditionFailure("the machine contradicts itself: \(error)") }
  }
}
