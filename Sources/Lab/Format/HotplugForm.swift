import Hotplug
import MemoryUnits

/// How steps are written that add memory and take it away.
enum HotplugForm {
  private struct Add: Sendable {
    var size = ByteCount.zero
    var node = NodeID(0)
    var memmap = MemmapPlace.elsewhere
    var online: OnlineZone? = OnlineZone.kernel
  }

  static let add = Form<Step.HotplugStep>.object(
    "add", "Adds memory behind the end of what is there.", from: Add(),
    [
      Field("size", .size, isRequired: true, "How much: whole memory blocks.") { $0.size = $1 },
      Field("node", .node, "On which node; 0 where it is left out.") { $0.node = $1 },
      Field(
        "memmap", .words([("from-range", MemmapPlace.fromRange), ("elsewhere", .elsewhere)]),
        "Whether its descriptors lie in what is added, or elsewhere, which is so where it is left out."
      ) { $0.memmap = $1 },
      Field(
        "online", Form<OnlineZone?>.either([.word("later", nil), zone.map { $0 }]),
        "In which zone it is put online; `later`: it stays offline. `kernel` where it is left out."
      ) { $0.online = $1 },
    ]
  ) { add, object, reading in
    check(add, object, &reading)
    return .add(add.size, node: add.node, memmap: add.memmap, online: add.online)
  }

  private struct Online: Sendable {
    var added: UInt32 = 0
    var zone = OnlineZone.kernel
  }

  static let online = Form<Step.HotplugStep>.object(
    "online", "Puts memory online.", from: Online(),
    [
      Field("added", added, isRequired: true, "What the scenario's so manieth `add` brought, from 0 on.") { $0.added = $1 },
      Field("zone", zone, "In which zone; `kernel` where it is left out.") { $0.zone = $1 },
    ]
  ) { online, _, _ in .online(online.added, online.zone) }

  static let offline = numbered("offline", "Takes memory offline.") { .offline($0) }

  static let remove = numbered("remove", "Takes memory away.") { .remove($0) }

  private static func numbered(
    _ name: String, _ text: String, _ make: @escaping @Sendable (UInt32) -> Step.HotplugStep
  ) -> Form<Step.HotplugStep> {
    .object(
      name, text, from: UInt32(0),
      [Field("added", added, isRequired: true, "What the scenario's so manieth `add` brought, from 0 on.") { $0 = $1 }]
    ) { number, _, _ in make(number) }
  }

  private static let zone = Form<OnlineZone>.either([
    .words([("kernel", OnlineZone.kernel), ("movable", .movable)]),
    .object(
      "automatic", "In a movable zone, as long as not too much is movable.", from: OnlineZone.kernel,
      [
        Field(
          "automatic", .load, isRequired: true, "How much may be movable, of the kernel memory that the machine booted with."
        ) { $0 = .automatic(movable: $1) }
      ]),
  ])

  private static let added = Form<UInt64>.integer(0...999_999).map { UInt32($0) }.checked { number, value, reading in
    reading.later { facts in
      let adds = facts.adds
      guard number >= adds else { return nil }
      let allowed = adds == 0 ? "none: no step adds memory" : adds == 1 ? "0" : "0 to \(adds - 1)"
      return ScenarioProblem(value.source, "the scenario has no added memory \(number)", allowed: allowed)
    }
    return true
  }

  private static func check(_ add: Add, _ object: ReadObject, _ reading: inout Reading) {
    reading.later { facts in
      let source = object.source(of: "size")
      guard facts.hasRoom else {
        return ScenarioProblem(object.value.source, "memory is added, but the machine has no 'room' for any")
      }
      guard object.good.contains("size"), let room = facts.room else { return nil }
      guard add.size <= room.size else {
        return ScenarioProblem(source, "\(add.size) is more than the machine's room, which is \(room.size)")
      }
      guard let block = room.blockSize ?? facts.architecture?.smallestMemoryBlock, add.size % block != .zero else { return nil }
      return ScenarioProblem(source, "\(add.size) is not a whole number of memory blocks of \(block)")
    }
  }
}
