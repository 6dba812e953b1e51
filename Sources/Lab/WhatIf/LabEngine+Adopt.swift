import FrameAllocator
import FrameMap
import MemoryUnits
import Mobility
import PhysicalLayout

extension LabEngine {
  /// Hands what a captured host holds over to the clients of lives, which give it back and take its like as they would their own: what
  /// can be dropped is files, what moves is services' and jobs', slab is inodes and objects, in the proportions of the life, and
  /// page tables are page tables. Large runs are taken apart into folios as large as such parts have. What the capture does not name
  /// stays as it is.
  ///
  /// - Complexity: O(folios).
  func adopt(_ lives: [(name: String, mix: WorkloadMix)]) {
    var random = LabRandom(seed: seed, stream: 6 << 40)
    for index in lab.machine.zones.indices {
      let description = lab.machine.zones.descriptions[Int(index.rawValue)]
      guard let life = lives.first(where: { $0.mix.node == description.node }) ?? lives.first else { return }
      var found: [(place: FolioPlace, shape: FrameShape)] = []
      for range in description.memory {
        lab.machine.zones[index].forEachFolio(in: range) { place, shape in found.append((place, shape)) }
      }
      for (place, shape) in found where isOwnedOnce(place) {
        guard let (part, largest) = part(of: place, shape, life.mix, &random), let client = client(life.name + part) else {
          continue
        }
        adopt(place, as: client, upTo: largest)
      }
    }
    // Their start is long past.
    for life in lives { for client in clients where client.name.hasPrefix(life.name + "/") { client.age = 1 << 24 } }
  }

  /// Whether a folio has its owner's reference and no other.
  private func isOwnedOnce(_ place: FolioPlace) -> Bool {
    // Nobody but the run's own thread changes counts.
    let counts = lab.machine.zones.table.descriptor(place.head).map {
      FrameCounts(rawValue: $0.pointee.countsWord.load(ordering: .relaxed))
    }
    return counts == .references(1) && owner.owner(of: place.head) == nil
  }

  /// Whose a folio becomes, and of which order its parts are at most.
  private func part(
    of place: FolioPlace, _ shape: FrameShape, _ mix: WorkloadMix, _ random: inout LabRandom
  ) -> (name: String, largest: Order)? {
    func one(of first: ByteCount, _ second: ByteCount) -> Bool {
      random.below(max(first.rawValue + second.rawValue, 1)) < first.rawValue
    }
    switch shape.kind {
    case .pageTable: return (one(of: mix.services, mix.jobs) ? "/services' page tables" : "/jobs' page tables", Order(0))
    case .ordinary:
      switch shape.mobility {
      case .movable, .contiguous:
        if owner.base.canDrop(place) { return ("/files", Order(5)) }
        return (one(of: mix.services, mix.jobs) ? "/services" : "/jobs", Order(4))
      case .reclaimable:
        guard one(of: mix.inodesInUse + mix.inodes, mix.objects) else { return ("/kernel objects", Order(3)) }
        return (one(of: mix.inodesInUse, mix.inodes) ? "/inodes in use" : "/dentries and inodes", Order(3))
      case .unmovable: return nil
      }
    default: return nil
    }
  }

  private func adopt(_ place: FolioPlace, as client: Client, upTo largest: Order) {
    guard place.order > largest else { return take(over: place, client) }
    var parts: [FolioPlace] = []
    do throws(FolioError) {
      let folio = try lab.machine.zones.adopt(place.head)
      try lab.machine.zones.split(folio, to: largest) { part in parts.append(FolioPlace(head: part.head, order: part.order)) }
    } catch {
      // Somebody looks at it, and it stays whole.
      return
    }
    for part in parts { take(over: part, client) }
  }

  private func take(over place: FolioPlace, _ client: Client) {
    let ticks = client.random.drawRest(client.lifetime, tick: tick)
    owner.claim(place.head, client, client.slots.insert(place, livingFor: ticks))
  }
}
