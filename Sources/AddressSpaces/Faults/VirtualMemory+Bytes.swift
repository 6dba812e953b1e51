import FrameAllocator
import FrameContents
public import MemoryUnits

/// Why bytes were not read or written. What lies before the address that is named was.
public enum BytesError: Error, Hashable, Sendable {
  case fault(FaultError)
  case contents(ContentsError)
}

extension VirtualMemory {
  /// Reads bytes as a processor would: through the page tables, with faults.
  ///
  /// - Throws: ``BytesError``; what lies before the failing page is read then.
  /// - Complexity: O(bytes + pages). Linux: `copy_from_user`, `access_process_vm`.
  public func read(
    _ address: VirtualAddress, in space: AddressSpace, into bytes: inout MutableSpan<UInt8>, on cpu: CPUIndex
  ) throws(BytesError) {
    var done = 0
    while done < bytes.count {
      let at = address + ByteCount(UInt64(done))
      done += try touch(at, .read, in: space, on: cpu) { frame, offset throws(ContentsError) in
        let count = min(bytes.count - done, Int(shape.baseShift.bytes.rawValue) - offset)
        guard let contents else { throw .metadataOnly }
        try contents.withBytes(of: frame) { page in
          for place in 0..<count { bytes[done + place] = page[offset + place] }
        }
        return count
      }
    }
  }

  /// Writes bytes as a processor would.
  ///
  /// - Throws, complexity: as ``read(_:in:into:on:)``. Linux: `copy_to_user`.
  public func write(
    _ address: VirtualAddress, in space: AddressSpace, _ bytes: Span<UInt8>, on cpu: CPUIndex
  ) throws(BytesError) {
    var done = 0
    while done < bytes.count {
      let at = address + ByteCount(UInt64(done))
      done += try touch(at, .write, in: space, on: cpu) { frame, offset throws(ContentsError) in
        let count = min(bytes.count - done, Int(shape.baseShift.bytes.rawValue) - offset)
        guard let contents else { throw .metadataOnly }
        try contents.withMutableBytes(of: frame) { page in
          for place in 0..<count { page[offset + place] = bytes[done + place] }
        }
        return count
      }
    }
  }

  /// Runs `body` with the frame behind an address, faulted in, and the byte's place in it; the page stays meanwhile.
  private func touch(
    _ address: VirtualAddress, _ access: Access, in space: AddressSpace, on cpu: CPUIndex,
    _ body: (FrameNumber, Int) throws(ContentsError) -> Int
  ) throws(BytesError) -> Int {
    while true {
      let count = try space.state.withLock { (state: inout AddressSpace.State) throws(BytesError) -> Int? in
        do throws(FaultError) {
          guard case .done = try serve(address, access, in: space, &state, on: cpu) else { return nil }
        } catch {
          throw .fault(error)
        }
        // Faulted in under the lock: it is there, and nobody moves it without the lock.
        let frame = frame(behind: address, in: space)
        do throws(ContentsError) {
          return try body(frame, Int((address - address.aligned(to: shape.baseShift.bytes, .down)).rawValue))
        } catch {
          throw .contents(error)
        }
      }
      if let count { return count }
      pause()
    }
  }

  /// The frame that a leaf leads to for an address. The caller holds the lock, and knows that there is one.
  private func frame(behind address: VirtualAddress, in space: AddressSpace) -> FrameNumber {
    let (place, _) = walk.find(space.root, address, downTo: TableLevel(0))
    let entry = settled(place)
    precondition(entry.isLeaf, "a page that was just faulted in is not there")
    return entry.frame + FrameCount(address - place.address, shape.baseShift, rounded: .down)
  }
}
