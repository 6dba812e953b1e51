import AddressSpaces
import FrameAllocator
import FrameMap
import MemoryUnits
import PhysicalLayout

/// A process of a scenario: its space, what it mapped, and what it pinned.
final class SpaceHolder {
  let space: AddressSpace
  /// In the order of mapping, with the pages' size.
  var mapped: [(range: VirtualRange, page: PageSize)] = []
  /// In the order of pinning; what is there twice has two pins.
  var pinned: [FrameRange] = []

  init(_ space: AddressSpace) { self.space = space }
}

extension LabEngine {

  func perform(_ step: Step.SpaceStep) -> StepOutcome {
    let cpu = nextCPU()
    do throws(SpaceProblem) {
      let holder = try holder(step.space, on: cpu)
      switch step.operation {
      case .map(let size, let transparent, let page): return try map(size, transparent, page, holder, on: cpu)
      case .fork(let name): return try fork(holder, to: name, on: cpu)
      case .write(let share): return write(share, holder, on: cpu)
      case .pin(let share, let isLongTerm, let call):
        return pin(share, isLongTerm, by: call, holder, on: cpu)
      case .unpin:
        let count = holder.pinnedFrames
        unpin(holder, on: cpu)
        return .done("\(count) frames are no longer pinned")
      case .unmap(let share): return try unmap(share, holder, on: cpu)
      case .collapse(let size): return collapse(size, holder, on: cpu)
      case .split: return split(holder, on: cpu)
      case .exit:
        end(step.space, on: cpu)
        return .done("ended")
      }
    } catch {
      return .failed(error.text)
    }
  }

  private struct SpaceProblem: Error { let text: String }

  private func holder(_ name: String, on cpu: CPUIndex) throws(SpaceProblem) -> SpaceHolder {
    if let holder = spaces[name] { return holder }
    do throws(FaultError) {
      let holder = SpaceHolder(try lab.machine.memory.makeSpace(on: cpu))
      spaces[name] = holder
      return holder
    } catch {
      throw SpaceProblem(text: "no memory for its tables")
    }
  }

  /// Ends a process: nothing of it stays.
  func end(_ name: String, on cpu: CPUIndex) {
    guard let holder = spaces.removeValue(forKey: name) else { return }
    unpin(holder, on: cpu)
    lab.machine.memory.destroy(holder.space, on: cpu)
  }

  // MARK: Memory

  private func map(
    _ size: ByteCount, _ transparent: Bool, _ page: PageSize?, _ holder: SpaceHolder, on cpu: CPUIndex
  ) throws(SpaceProblem) -> StepOutcome {
    let base = PageSize(shift: shift)
    let range: VirtualRange
    do throws(MappingError) {
      var options = MappingOptions()
      if transparent { options.place = .at(place(for: size, in: holder)) }
      range = try lab.machine.memory.map(.anonymous(page ?? base), size, in: holder.space, options, on: cpu)
      if transparent { try lab.machine.memory.advise(range, .hugePages(true), in: holder.space, on: cpu) }
    } catch {
      throw SpaceProblem(text: "\(error)")
    }
    holder.mapped.append((range, page ?? base))
    var served = ByteCount.zero
    var left = FrameCount.zero
    var address = range.start
    let step = (page ?? base).bytes
    while address < range.end {
      if left == .zero {
        // Room for the next pages first, as the background reclaim of a kernel would have made.
        left = FrameCount(2 << 20 > step.rawValue ? ByteCount(2 << 20) : step, shift, rounded: .up)
        if page == nil { ensure(FrameCount(left.rawValue * 2), on: cpu) }
      }
      guard touch(address, in: holder.space, on: cpu) else {
        failures += 1
        return .inPart("\(served) of \(size): no memory for the page at \(address)" + describePages(holder))
      }
      served += step
      address += step
      left = left.saturatingSubtracting(FrameCount(step, shift, rounded: .up))
    }
    return .done("\(size)" + describePages(holder))
  }

  /// Where a mapping can have large pages from its start on: behind all others. Linux: `thp_get_unmapped_area`.
  private func place(for size: ByteCount, in holder: SpaceHolder) -> VirtualAddress {
    let unit = lab.machine.layout.architecture.hugeSizes.filter { $0.bytes <= size }.map { $0.bytes }.max() ?? shift.bytes
    let end = holder.mapped.map { $0.range.end }.max() ?? VirtualAddress(0) + shift.bytes
    return end.aligned(to: unit, .up)
  }

  private func touch(_ address: VirtualAddress, in space: AddressSpace, on cpu: CPUIndex) -> Bool {
    for _ in 0..<8 {
      operations += 1
      do throws(FaultError) {
        try lab.machine.memory.fault(address, .write, in: space, on: cpu)
        return true
      } catch {
        guard case .outOfMemory(let wanted, _) = error,
          reclaim(max(wanted, FrameCount(64)), for: FrameRequest(.movable), on: cpu) > .zero
        else { return false }
      }
    }
    return false
  }

  /// Drops cache until so much is free above the zones' low marks.
  private func ensure(_ frames: FrameCount, on cpu: CPUIndex) {
    for _ in 0..<8 {
      for index in lab.machine.zones.zones(for: FrameRequest(.movable)) {
        if lab.machine.zones[index].isAbove(lab.machine.zones[index].watermarks.low, order: Order(0), reserve: frames) { return }
      }
      if reclaim(frames, for: FrameRequest(.movable), on: cpu) == .zero { return }
    }
  }

  private func fork(_ holder: SpaceHolder, to name: String, on cpu: CPUIndex) throws(SpaceProblem) -> StepOutcome {
    guard spaces[name] == nil else { throw SpaceProblem(text: "there is a process \(name) already") }
    do throws(MappingError) {
      let child = SpaceHolder(try lab.machine.memory.fork(holder.space, on: cpu))
      child.mapped = holder.mapped
      spaces[name] = child
      return .done("\(name) shares what is not pinned")
    } catch {
      throw SpaceProblem(text: "\(error)")
    }
  }

  private func write(_ share: Percent, _ holder: SpaceHolder, on cpu: CPUIndex) -> StepOutcome {
    var random = LabRandom(seed: seed, stream: 1 << 40 + now)
    var pages: UInt64 = 0
    for (range, page) in holder.mapped {
      var address = range.start
      while address < range.end {
        if random.below(100) < share.rawValue {
          guard touch(address, in: holder.space, on: cpu) else { return .inPart("\(pages) pages written, then no memory") }
          pages += 1
        }
        address += page.bytes
      }
    }
    return .done("\(pages) pages written")
  }

  private func unmap(_ share: Percent, _ holder: SpaceHolder, on cpu: CPUIndex) throws(SpaceProblem) -> StepOutcome {
    var gone = ByteCount.zero
    var left: [(range: VirtualRange, page: PageSize)] = []
    for (range, page) in holder.mapped {
      let size = share.of(range.count).aligned(to: page.bytes, .up)
      let cut = VirtualRange(start: range.end - size, end: range.end)
      do throws(MappingError) {
        if !cut.isEmpty { try lab.machine.memory.unmap(cut, in: holder.space, on: cpu) }
      } catch {
        throw SpaceProblem(text: "\(error)")
      }
      gone += size
      if cut.start > range.start { left.append((VirtualRange(start: range.start, end: cut.start), page)) }
    }
    holder.mapped = left
    return .done("\(gone) unmapped")
  }

  private func collapse(_ size: PageSize, _ holder: SpaceHolder, on cpu: CPUIndex) -> StepOutcome {
    var made: UInt64 = 0
    var reasons: [String: UInt64] = [:]
    for (range, _) in holder.mapped {
      var address = range.start.aligned(to: size.bytes, .up)
      while address < range.end, range.end - address >= size.bytes {
        do throws(CollapseError) {
          if try lab.machine.memory.collapse(address, to: size, in: holder.space, on: cpu) { made += 1 }
        } catch {
          reasons["\(error)".prefix { $0 != "(" }.description, default: 0] += 1
        }
        address += size.bytes
      }
    }
    let text = "\(made) pages of \(size) made"
    guard !reasons.isEmpty else { return .done(text) }
    return .inPart(
      text + "; not made: "
        + reasons.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { "\($0.value) \($0.key)" }.joined(separator: ", "))
  }

  private func split(_ holder: SpaceHolder, on cpu: CPUIndex) -> StepOutcome {
    var places: [FolioPlace] = []
    for (range, _) in holder.mapped {
      lab.machine.memory.forEachPage(in: range, of: holder.space, as: .asMapped) { page in
        if page.frames.count > FrameCount(1), let folio = try? lab.machine.zones.folio(containing: page.frames.start),
          places.last != folio
        {
          places.append(folio)
        }
      }
    }
    var count: UInt64 = 0
    var failed: UInt64 = 0
    for place in places where place.order > Order(0) {
      if (try? lab.machine.memory.split(place, to: Order(0), on: cpu)) != nil { count += 1 } else { failed += 1 }
    }
    let text = "\(count) folios split, \(holder.pinnedFrames) frames stay pinned"
    return failed == 0 ? .done(text) : .inPart(text + ", \(failed) folios not")
  }

  /// `: 3 pages of 2M, 17 of 4K`
  private func describePages(_ holder: SpaceHolder) -> String {
    var counts: [PageSize: UInt64] = [:]
    for (range, _) in holder.mapped {
      lab.machine.memory.forEachPage(in: range, of: holder.space, as: .asMapped) { page in counts[page.size, default: 0] += 1 }
    }
    let parts = counts.sorted { $0.key.bytes > $1.key.bytes }.map { "\($0.value) of \($0.key)" }
    return parts.isEmpty ? "" : ", mapped by pages: " + parts.joined(separator: ", ")
  }
}
