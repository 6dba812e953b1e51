import FrameMap
import MemoryUnits
import Testing

@Suite struct DescriptorTests {
  private func withDescriptor(_ body: (DescriptorPointer) throws -> Void) rethrows {
    let memory = UnsafeMutableRawPointer.allocate(byteCount: 32, alignment: 32)
    memory.initializeMemory(as: UInt8.self, repeating: 0, count: 32)
    defer { memory.deallocate() }
    try body(memory.assumingMemoryBound(to: FrameDescriptor.self))
  }

  /// The macro cannot look into what cannot be copied.
  private func expect(_ holds: Bool, _ place: SourceLocation = #_sourceLocation) { #expect(holds, sourceLocation: place) }

  @Test func itIsSmallAndZeroIsValid() {
    #expect(MemoryLayout<FrameDescriptor>.stride == 32)
    #expect(MemmapAccount.ownDescriptorSize == ByteCount(32))
    withDescriptor { descriptor in
      let counts = descriptor.pointee.counts
      let shape = descriptor.pointee.shape
      let flags = descriptor.pointee.flags
      #expect(counts == .zero && shape == FrameShape(.ordinary) && flags.isEmpty)
      expect(!descriptor.pointee.tryTake(.references(1)))
    }
  }

  @Test func countsShareAWord() {
    withDescriptor { descriptor in
      descriptor.pointee.unfreeze(.references(1))
      descriptor.pointee.take(.pins(512))
      expect(descriptor.pointee.tryTake(.references(2)))
      expect(descriptor.pointee.counts == .references(3) + .pins(512))
      expect(descriptor.pointee.counts.references == 515 && descriptor.pointee.counts.pins == 512)
      expect(!descriptor.pointee.freeze(expecting: .references(3)))
      expect(!descriptor.pointee.give(.pins(512)))
      expect(descriptor.pointee.freeze(expecting: .references(3)))
      expect(!descriptor.pointee.tryTake(.pins(1)))
      descriptor.pointee.unfreeze(.references(3))
      expect(!descriptor.pointee.give(.references(2)))
      expect(descriptor.pointee.give(.references(1)))
    }
  }

  @Test(arguments: FrameKind.allCases, FrameMobility.allCases) func shapesKeepTheirParts(kind: FrameKind, mobility: FrameMobility)
  {
    let shape = FrameShape(kind, order: Order(18), mobility: mobility, zone: ZoneIndex(4095))
    #expect(shape.kind == kind && shape.mobility == mobility && shape.order == Order(18) && shape.zone == ZoneIndex(4095))
  }

  @Test func flagsTellWhatWasThere() {
    withDescriptor { descriptor in
      expect(descriptor.pointee.insert([.dirty, .locked]).isEmpty)
      expect(descriptor.pointee.insert([.dirty, .accessed]) == .dirty)
      expect(descriptor.pointee.remove([.locked]) == .locked)
      expect(descriptor.pointee.flags == [.dirty, .accessed])
    }
  }

  @Test func takingFromNothingTraps() async {
    await #expect(processExitsWith: .failure) {
      DescriptorTests().withDescriptor { $0.pointee.take(.references(1)) }
    }
    await #expect(processExitsWith: .failure) {
      DescriptorTests().withDescriptor { descriptor in
        descriptor.pointee.unfreeze(.references(1))
        _ = descriptor.pointee.give(.pins(1))
      }
    }
    await #expect(processExitsWith: .failure) {
      DescriptorTests().withDescriptor { descriptor in
        descriptor.pointee.unfreeze(.references(.max))
        descriptor.pointee.take(.references(1))
      }
    }
  }
}
