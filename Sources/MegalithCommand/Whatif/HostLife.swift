import HostMemory
import Lab
import MemoryUnits
import PhysicalLayout

/// What a host holds, as the amounts of a life.
struct HostLife {
  /// What is reserved since boot, descriptors apart.
  let kernel: ByteCount
  let amounts: [(name: String, size: ByteCount)]
  let mixes: [WorkloadMix]
  let pools: [Step.PoolStep]

  init(_ survey: Survey, _ layout: BootLayout, of root: Sysroot) throws(ExitStatus) {
    guard let memory = survey.reports.memory, let total = memory.bytes("MemTotal"), let free = memory.bytes("MemFree") else {
      throw .noInput("proc/meminfo is not there, which says who holds the memory. Name another root with --sysroot.")
    }
    func sum(_ names: String...) -> ByteCount { names.reduce(.zero) { $0 + (memory.bytes($1) ?? .zero) } }
    let shared = sum("Shmem")
    let files = sum("Cached", "Buffers").saturatingSubtracting(shared)
    let anonymous = sum("AnonPages") + shared
    let tables = sum("PageTables")
    let inodes = memory["KReclaimable"] == nil ? sum("SReclaimable") : sum("KReclaimable")
    let objects = sum("SUnreclaim", "KernelStack", "Percpu")
    let known = files + anonymous + tables + inodes + objects + sum("Hugetlb") + free
    let other = total.saturatingSubtracting(known)
    amounts = [
      ("file cache", files), ("anonymous", anonymous), ("page tables", tables), ("slab that can be reclaimed", inodes),
      ("slab that cannot, stacks, per CPU", objects), ("not named by the kernel", other),
    ]
    let shift = layout.architecture.baseShift
    let descriptors = layout.architecture.descriptorSize * layout.present.rawValue
    kernel = max(ByteCount(layout.present, shift).saturatingSubtracting(total + descriptors), .mebibytes(16))
    mixes = try Self.mixes(
      root, layout,
      WorkloadMix(
        files: files, anonymous: anonymous, tables: tables, inodes: inodes, objects: objects, other: other, memory: total,
        node: NodeID(0)), total)
    pools = survey.reports.pools.compactMap { pool in
      guard let node = pool.node, pool.total > .zero else { return nil }
      var step = Step.PoolStep(size: pool.size, pages: PageCount(rawValue: pool.total.rawValue))
      step.node = node
      return step
    }
  }

  /// Each node holds of everything as much as it is in use.
  private static func mixes(
    _ root: Sysroot, _ layout: BootLayout, _ whole: WorkloadMix, _ total: ByteCount
  ) throws(ExitStatus) -> [WorkloadMix] {
    let nodes = try reading { () throws(HostFileError) in try NodeMemory.all(of: root) }
    let uses = nodes.map { ($0.node, max($0.present.saturatingSubtracting($0.free).rawValue, 1)) }
    let sum = uses.reduce(0) { $0 + $1.1 }
    guard uses.count > 1 else { return [whole] }
    return uses.map { node, use in whole.share(use, of: sum, memory: total, on: node) }
  }
}
