import CBaselines
import FrameAllocator
import FrameMap
import HostArena
import MemoryUnits
import PhysicalLayout

/// A zone of folios, all free.
final class FolioFixture: Sendable {
  let zone: FolioZone
  private let map: FrameMap<HostStorage>
  private let memory: Reservation
  var table: FrameTable { map.table }

  init(
    zone range: FrameRange, threads: Int, model: MemoryModel = .vmemmap, descriptorPages: HostStorage.DescriptorPages = .huge
  ) throws {
    let storage = HostStorage(descriptorPages: descriptorPages)
    map = try FrameMap(
      FrameMapLayout(.x86_64, nodes: [NodeMemory(NodeID(0), [range])], limit: range.end), model: model, storage: storage,
      cpuLimit: CPUIndex(UInt32(threads)))
    memory = try Reservation(FolioZone.storageBytes(for: range.count, cpus: UInt32(threads), pageblock: Order(9)))
    zone = FolioZone(
      zone: range, index: ZoneIndex(0), table: map.table, topOrder: nil,
      policy: PageblockPolicy(order: Order(9)),
      storage: FolioZone.Storage(memory.bytes, for: range.count, cpus: UInt32(threads), pageblock: Order(9)),
      cpus: UInt32(threads),
      barrier: { storage.barrier() })
    try zone.manage(range)
  }

  /// Descriptors of `range` in which any bit is set.
  func writtenDescriptors(in range: FrameRange) -> UInt64 {
    var count: UInt64 = 0
    table.forEachRun(in: range) { run in
      run.forEach { descriptor in
        let isWritten = UnsafeRawBufferPointer(start: descriptor, count: MemoryLayout<FrameDescriptor>.size).contains { $0 != 0 }
        if isWritten { count += 1 }
      }
    }
    return count
  }
}

/// Folios with their descriptors, head bits and counts.
final class FolioContender: Contender {
  let name = "folio"
  private let order: Order
  private let fixture: FolioFixture

  init(zone: FrameRange, order: Order, threads: Int) throws {
    self.order = order
    fixture = try FolioFixture(zone: zone, threads: threads)
  }

  func get(_ blocks: Blocks, thread: Int) { folioGet(fixture.zone, blocks, order, CPUIndex(UInt32(thread))) }
  func put(_ blocks: Blocks, thread: Int) { folioPut(fixture.zone, blocks, order, CPUIndex(UInt32(thread))) }
  func churn(_ blocks: Blocks, _ indices: UnsafeMutableBufferPointer<UInt32>, thread: Int) {
    folioChurn(fixture.zone, blocks, indices, order, CPUIndex(UInt32(thread)))
  }
  func pair(_ count: Int, thread: Int) { folioPair(fixture.zone, count, order, CPUIndex(UInt32(thread))) }
}

@inline(__always) private func allocated(_ zone: borrowing FolioZone, _ order: Order, _ cpu: CPUIndex) -> FrameNumber {
  do { return try zone.allocate(order, .unmovable, on: cpu).head } catch { refused(error) }
}
@inline(__always) private func giveBack(_ zone: borrowing FolioZone, _ head: FrameNumber, _ order: Order, _ cpu: CPUIndex) {
  do { try zone.free(at: head, order: order, on: cpu) } catch { refused(error) }
}
@inline(never) private func refused(_ error: FolioError) -> Never { fatalError("the zone refused: \(error)") }

@inline(never) private func folioGet(_ zone: borrowing FolioZone, _ blocks: Blocks, _ order: Order, _ cpu: CPUIndex) {
  for index in 0..<blocks.count { blocks[index] = allocated(zone, order, cpu).rawValue }
}
@inline(never) private func folioPut(_ zone: borrowing FolioZone, _ blocks: Blocks, _ order: Order, _ cpu: CPUIndex) {
  for index in 0..<blocks.count { giveBack(zone, FrameNumber(blocks[index]), order, cpu) }
}
@inline(never) private func folioChurn(
  _ zone: borrowing FolioZone, _ blocks: Blocks, _ indices: UnsafeMutableBufferPointer<UInt32>, _ order: Order, _ cpu: CPUIndex
) {
  for index in indices {
    giveBack(zone, FrameNumber(blocks[Int(index)]), order, cpu)
    blocks[Int(index)] = allocated(zone, order, cpu).rawValue
  }
}
@inline(never) func folioPair(_ zone: borrowing FolioZone, _ count: Int, _ order: Order, _ cpu: CPUIndex) {
  for _ in 0..<count { giveBack(zone, allocated(zone, order, cpu), order, cpu) }
}
