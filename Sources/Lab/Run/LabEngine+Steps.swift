import FrameAllocator
import FrameMap
import HugePools
import MemoryUnits
import Mobility
import PhysicalLayout

extension LabEngine {
  func allocate(_ step: Step.AllocateStep) -> StepOutcome {
    guard let client = client(step.client) else { return .failed(noClient(step.client)) }
    let wanted = FrameCount(step.amount, shift, rounded: .up)
    let before = client.slots.frames
    let order = step.size.map { $0.order(baseShift: shift) }
    var obstacles: Obstacles?
    while client.slots.frames - before < wanted {
      let cpu = nextCPU()
      if step.isContiguous || order.map({ $0 > lab.machine.zones.topOrder }) ?? false {
        switch contiguous(order ?? client.pickOrder(), client, on: cpu) {
        case .success: continue
        case .failure(let reason): obstacles = reason.obstacles
        }
        break
      }
      if let order {
        guard allocateExactly(order, for: client, isLight: false, on: cpu) != nil else {
          failures += 1
          break
        }
      } else {
        guard allocate(client.pickOrder(), for: client, on: cpu) != nil else { break }
      }
    }
    let got = client.slots.frames - before
    guard got < wanted else { return .done("\(got.bytes(shift))") }
    var text = "\(got.bytes(shift)) of \(step.amount)"
    if let obstacles, !obstacles.isEmpty { text += "; " + describe(obstacles) }
    return step.isRequired ? .failed(text) : .inPart(text)
  }

  private func noClient(_ name: String) -> String {
    let isWorkload = clients.contains { $0.name.hasPrefix(name + "/") }
    return isWorkload ? "\(name) is a workload, whose clients free by themselves" : "there is no client \(name)"
  }

  struct ContiguousFailure: Error { let obstacles: Obstacles }

  /// A folio from a range that is emptied for it.
  private func contiguous(_ order: Order, _ client: Client, on cpu: CPUIndex) -> Result<FolioPlace, ContiguousFailure> {
    let request = client.request
    do throws(ContiguousError) {
      let folio = try lab.machine.contiguousBlock(order, request, LabMachine.contiguous(spec.policy), owner: owner, on: cpu)
      return .success(keep(FolioPlace(head: folio.head, order: folio.order), client))
    } catch {
      failures += 1
      if case .exhausted(_, _, let obstacles) = error { return .failure(ContiguousFailure(obstacles: obstacles)) }
      return .failure(ContiguousFailure(obstacles: Obstacles()))
    }
  }

  func free(_ name: String, _ share: Percent, _ pick: Step.Pick) -> StepOutcome {
    guard let client = client(name) else { return .failed(noClient(name)) }
    var list: [UInt32]
    if case .forever = client.flow.figures.lifetime {
      list = client.slots.staying()
    } else {
      guard pick == .random else { return .failed("folios that die by themselves have no order: pick them at random") }
      list = []
      client.slots.forEach { slot, _ in list.append(slot) }
    }
    let count = Int(share.of(FolioTally(UInt64(list.count))).rawValue)
    switch pick {
    case .oldest: break
    case .newest: list.reverse()
    case .random:
      for index in 0..<count { list.swapAt(index, index + Int(client.random.below(UInt64(list.count - index)))) }
    }
    var frames = FrameCount.zero
    let cpu = nextCPU()
    for slot in list.prefix(count) {
      let place = client.slots.remove(slot)
      frames += place.frames.count
      release(place, on: cpu)
    }
    return .done("\(frames.bytes(shift))")
  }

  func stop(_ name: String, keeps: Bool) {
    drivers[name]?.stop(self, keeps: keeps)
    let cpu = nextCPU()
    for client in clients where client.name == name || client.name.hasPrefix(name + "/") {
      client.isRunning = false
      client.owed = 0
      guard !keeps else { continue }
      var list: [UInt32] = []
      client.slots.forEach { slot, _ in list.append(slot) }
      for slot in list { release(client.slots.remove(slot), on: cpu) }
    }
  }

  func start(_ name: String) {
    for client in clients where client.name == name || client.name.hasPrefix(name + "/") {
      client.isRunning = true
      client.age = 0
    }
    drivers[name]?.start(self)
  }

  func pool(_ step: Step.PoolStep) -> StepOutcome {
    guard lab.machine.memory.pools.sizes.contains(step.size) else { return .failed("this machine has no pages of \(step.size)") }
    let before = tally.moved
    // As the background reclaim of a kernel would, which sees the memory go.
    let wanted = FrameCount(step.size.bytes, shift, rounded: .up).rawValue * step.pages.rawValue
    if !lab.machine.layout.architecture.isGigantic(step.size) {
      let held =
        lab.machine.memory.pools.counts(step.size).total.rawValue * FrameCount(step.size.bytes, shift, rounded: .up).rawValue
      if wanted > held { makeFree(FrameCount(wanted - held)) }
    }
    let got: PageCount
    if let node = step.node {
      guard lab.machine.zones.nodes.contains(node) else { return .failed("there is no node \(node)") }
      got = lab.machine.memory.pools.setSize(step.size, to: step.pages, on: node, zones: lab.machine.zones, with: context)
    } else {
      got = lab.machine.memory.pools.setSize(step.size, to: step.pages, zones: lab.machine.zones, with: context)
    }
    let moved = tally.moved - before
    let text = "\(got) of \(step.pages) pages of \(step.size)" + (moved > .zero ? ", \(moved.bytes(shift)) moved" : "")
    guard got < step.pages else { return .done(text) }
    let order = step.size.order(baseShift: shift)
    let request = FrameRequest(.unmovable, node: step.node ?? NodeID(0), isNodeFixed: step.node != nil)
    var obstacles = Obstacles()
    for index in lab.machine.zones.zones(for: request) {
      for memory in lab.machine.zones.descriptions[Int(index.rawValue)].memory {
        var start = memory.start.aligned(to: order.frames, .up)
        while start < memory.end, memory.end - start >= order.frames {
          let range = FrameRange(blockAt: start, order: order)
          if let plan = try? lab.machine.zones.plan(range, LabMachine.contiguous(spec.policy)), !plan.isPossible {
            obstacles.add(plan.obstacles)
          }
          start += order.frames
        }
      }
    }
    return .inPart(text + (obstacles.isEmpty ? "; no memory is left" : "; in the other ranges stand " + describe(obstacles)))
  }

  /// Drops cache until so many frames are free above the zones' low marks, or none is left.
  private func makeFree(_ frames: FrameCount) {
    let cpu = nextCPU()
    while true {
      var free = FrameCount.zero
      for index in lab.machine.zones.zones(for: FrameRequest(.movable)) {
        free += lab.machine.zones[index].freeFrames().saturatingSubtracting(lab.machine.zones[index].watermarks.high)
      }
      guard free < frames, reclaim(min(frames - free, FrameCount(1 << 18)), for: FrameRequest(.movable), on: cpu) > .zero else {
        return
      }
    }
  }

  func compact(_ size: PageSize?) -> StepOutcome {
    let before = tally.moved
    for index in lab.machine.zones.indices where lab.machine.zones[index].managed > .zero {
      let order = size.map { $0.order(baseShift: shift) }
      let result = lab.machine.zones.compact(index, for: order, with: context)
      if order != nil, result.hasBlock { break }
    }
    return .done("\((tally.moved - before).bytes(shift)) moved")
  }

  func drop(_ amount: ByteCount?) -> StepOutcome {
    let cpu = nextCPU()
    var dropped = FrameCount.zero
    let wanted = amount.map { FrameCount($0, shift, rounded: .up) }
    while wanted.map({ dropped < $0 }) ?? true {
      let some = reclaim(
        wanted.map { min($0 - dropped, FrameCount(1 << 18)) } ?? FrameCount(1 << 18), for: FrameRequest(.movable), on: cpu)
      guard some > .zero else { break }
      dropped += some
    }
    return .done("\(dropped.bytes(shift)) dropped")
  }
}
