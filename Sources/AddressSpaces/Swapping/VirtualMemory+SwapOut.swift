public import FrameAllocator
public import FrameMap
public import MemoryUnits
import Mobility
import Synchronization

/// Why a folio was not swapped out; it is as before.
public enum SwapOutError: Error, Hashable, Sendable {
  /// There is nowhere to swap to.
  case noDevice
  /// There is no such folio any more.
  case gone(FrameNumber)
  /// It is not anonymous memory.
  case unsuitable(FrameNumber)
  /// Others than entries hold it: it is pinned, or somebody is looking at it.
  case busy(FrameNumber, FrameCounts)
  /// A space that maps it is at work.
  case contended(FrameNumber)
  case full(SwapError)
  case device(SwapDeviceError)
}

extension VirtualMemory {
  /// Gives the memory somewhere to swap to. Devices are used in the order in which they came.
  ///
  /// - Returns: its area, for its numbers.
  /// - Complexity: as ``SwapArea/init(_:pause:)``. Linux: `swapon`.
  @discardableResult public func addSwap<Device: SwapDevice>(_ device: Device) -> SwapArea {
    let area = SwapArea(device, pause: pause)
    books.swap.withLock { $0.areas.append(area) }
    return area
  }

  /// Swaps a folio of anonymous memory out: writes it, makes its entries name the slots, and frees its frames. A folio of several frames
  /// goes as a whole where the policy lets it and the slots are side by side; else it is taken apart first.
  ///
  /// - Returns: how many frames were freed.
  /// - Throws: ``SwapOutError``, where nothing was swapped out.
  /// - Complexity: the write, and O(entries). Threads: any; the caller holds no lock of a space. Linux: `add_to_swap`, `pageout`,
  ///   `try_to_unmap`.
  @discardableResult public func swapOut(_ folio: FolioPlace, on cpu: CPUIndex) throws(SwapOutError) -> FrameCount {
    guard !books.swap.withLock({ $0.areas.isEmpty }) else { throw .noDevice }
    guard folio.order > Order(0) else { return try swapOutWhole(folio, on: cpu) }
    if !transparentPolicy.splitsBeforeSwap {
      do throws(SwapOutError) {
        return try swapOutWhole(folio, on: cpu)
      } catch {
        guard case .full = error else { throw error }
      }
    }
    return try swapOutParts(of: folio, on: cpu)
  }

  /// Swaps out what a range of a space consists of, as far as it can be; folios that reach beyond it go too.
  ///
  /// - Returns: how many frames were freed. Those that are pinned, shared with a space at work, or no anonymous memory stay.
  /// - Throws: `.noDevice`, `.full`, `.device` with the first folio that met it; those before it are swapped out.
  /// - Complexity: as ``swapOut(_:on:)`` for each folio. Linux: `MADV_PAGEOUT`.
  @discardableResult public func swapOut(
    _ range: VirtualRange, in space: AddressSpace, on cpu: CPUIndex
  ) throws(SwapOutError) -> FrameCount {
    var heads: [FolioPlace] = []
    forEachPage(in: range, of: space, as: .asMapped) { page in
      guard let folio = try? zones.folio(containing: page.frames.start), heads.last != folio else { return }
      heads.append(folio)
    }
    var sum = FrameCount.zero
    for folio in heads {
      do throws(SwapOutError) {
        sum += try swapOut(folio, on: cpu)
      } catch {
        switch error {
        case .gone, .unsuitable, .busy, .contended: continue
        case .noDevice, .full, .device: throw error
        }
      }
    }
    return sum
  }

  private func swapOutParts(of folio: FolioPlace, on cpu: CPUIndex) throws(SwapOutError) -> FrameCount {
    do throws(SplitError) {
      try split(folio, to: Order(0), on: cpu)
    } catch {
      switch error {
      case .gone(let head): throw .gone(head)
      case .unsuitable(let head): throw .unsuitable(head)
      case .busy(let head, let counts, _): throw .busy(head, counts)
      case .contended(let head): throw .contended(head)
      case .notSmaller: preconditionFailure("a folio of several frames is larger than a frame")
      }
    }
    var sum = FrameCount.zero
    var frame = folio.head
    while frame < folio.frames.end {
      do throws(SwapOutError) {
        sum += try swapOutWhole(FolioPlace(head: frame, order: Order(0)), on: cpu)
      } catch {
        // Parts that nobody maps went with the split; those that are pinned stay.
        switch error {
        case .gone, .busy, .contended, .unsuitable: break
        case .noDevice, .full, .device: if sum == .zero { throw error } else { return sum }
        }
      }
      frame += FrameCount(1)
    }
    return sum
  }

  private func swapOutWhole(_ folio: FolioPlace, on cpu: CPUIndex) throws(SwapOutError) -> FrameCount {
    guard let held = try? zones.tryGet(folio.head, on: cpu) else { throw .gone(folio.head) }
    guard held == folio else {
      put(held.head, on: cpu)
      throw .gone(folio.head)
    }
    guard isAnonymous(folio) else {
      put(folio.head, on: cpu)
      throw .unsuitable(folio.head)
    }
    let owner = self.owner
    guard let expected = owner.detach(folio) else {
      put(folio.head, on: cpu)
      throw .contended(folio.head)
    }
    let head = unsafe descriptor(folio.head)
    let counts = expected + .references(1)
    guard unsafe head.pointee.freeze(expecting: counts) else {
      let found = unsafe head.pointee.counts - .references(1)
      owner.attach(folio, to: folio.head)
      put(folio.head, on: cpu)
      throw .busy(folio.head, found)
    }
    // Frozen, with entries that wait: nobody writes to it.
    let place: SwapPlace
    do throws(SwapOutError) {
      place = try write(folio)
    } catch {
      unsafe head.pointee.unfreeze(counts)
      owner.attach(folio, to: folio.head)
      put(folio.head, on: cpu)
      throw error
    }
    name(place, inEntriesOf: folio)
    zones.freeFrozen(folio.head, on: cpu)
    return folio.order.frames
  }

  /// Whether a folio is a space's own memory, of a mapping without an object.
  private func isAnonymous(_ folio: FolioPlace) -> Bool {
    let head = unsafe descriptor(folio.head)
    guard unsafe head.pointee.shape.kind == .ordinary else { return false }
    let number = unsafe OwnerNumber(rawValue: head.pointee.privateWord.load(ordering: .acquiring))
    guard case .family(let family)? = books.owner(number) else { return false }
    return family.isAnonymous
  }

  /// Writes a frozen folio to slots, of which the caller has a use then. What is in the cache is there already.
  private func write(_ folio: FolioPlace) throws(SwapOutError) -> SwapPlace {
    let cached = books.swap.withLock { swap -> SwapPlace? in
      guard let place = swap.place(of: folio.head) else { return nil }
      // The cache's use becomes the caller's.
      let range = SlotRange(start: place.slot, count: SlotCount(1))
      swap[place].retain(range)
      swap[place].removeCached(range, folio.head)
      swap.remove(folio.head)
      return place
    }
    if let cached {
      unsafe _ = descriptor(folio.head).pointee.remove(.swapCached)
      return cached
    }
    let areas = books.swap.withLock { $0.areas }
    var refusal = SwapError.full(wanted: SlotCount(folio.order), largestFree: .zero)
    for (number, area) in areas.enumerated() {
      let slot: SwapSlot
      do throws(SwapError) {
        slot = try area.take(folio.order)
      } catch {
        refusal = error
        continue
      }
      do throws(SwapDeviceError) {
        try area.write(folio.frames, to: slot, in: contents)
      } catch {
        area.release(SlotRange(start: slot, count: SlotCount(folio.order)))
        throw .device(error)
      }
      return SwapPlace(SwapIndex(rawValue: number), slot)
    }
    throw .full(refusal)
  }

  /// Makes the entries of a frozen folio, which wait, name slots; the caller's use of these goes.
  private func name(_ place: SwapPlace, inEntriesOf folio: FolioPlace) {
    let area = books.swap.withLock { $0[place] }
    let move = books.takeMove(of: folio.head)
    for (entryPlace, entry) in move.entries {
      area.retain(
        SlotRange(start: place.slot + SlotCount(entry.frame - folio.head), count: SlotCount(shape.frames(entryPlace.level))))
    }
    // Before anybody can look how many uses a slot has.
    area.release(SlotRange(start: place.slot, count: SlotCount(folio.order)))
    let head = unsafe descriptor(folio.head)
    unsafe head.pointee.mapCount.store(0, ordering: .releasing)
    unsafe head.pointee.privateWord.store(0, ordering: .releasing)
    for (entryPlace, entry) in move.entries.reversed() {
      walk.replace(entryPlace, entry.with(.swapped).leading(to: place.number + (entry.frame - folio.head)))
    }
  }
}
