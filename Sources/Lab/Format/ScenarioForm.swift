import MemoryUnits

/// How a scenario is written, as a whole.
enum ScenarioForm {
  static let form = Form<Scenario>.object(
    "scenario", "What happens to a machine.", from: Scenario(name: ""),
    [
      Field("scenario", .text, isRequired: true, "Its name.") { $0.name = $1 },
      Field("story", .text, "What happens and why, for a reader.") { $0.story = $1 },
      Field("lesson", .text, "What is to be learnt from how it ends.") { $0.lesson = $1 },
      Field(
        "seed", .integer(0...UInt64.max), "What chance is made from: the same seed gives the same run. 1 where it is left out."
      ) { $0.seed = $1 },
      Field("machine", MachineForm.form, "The machine that everything happens on.") { $0.machine = $1 },
      Field("sampling", sampling, "How often the run is looked at.") { $0.sampling = $1 },
      Field("clients", ClientForm.clients, "Who allocates, by name.") { $0.clients = $1 },
      Field("steps", StepForm.steps, isRequired: true, "What happens, in order.") { $0.steps = $1 },
    ]
  ) { scenario, object, reading in
    if object.has("machine"), !object.good.contains("machine") { reading.facts.nodes = nil }
  }

  static let sampling = Form<Scenario.Sampling>.object(
    "sampling", "How often a run is looked at.", from: Scenario.Sampling(),
    [
      Field(
        "counters", interval,
        "Between two rows of counters; `1h` where it is left out. `never`: at snapshots and at the end only."
      ) {
        $0.counters = $1
      },
      Field("maps", interval, "Between two maps; `never`, as where it is left out: at snapshots and at the end only.") {
        $0.maps = $1
      },
      Field("sizes", .list(.page(.any)), "Page sizes that are counted; all of the architecture's where it is left out.") {
        $0.sizes = $1
      },
      Field("tick", .time, "How finely time passes: what happens within one tick happens at once. `1s` where it is left out.") {
        $0.tick = $1
      },
    ]
  ) { sampling, object, reading in
    if object.has("sizes") { reading.facts.sampled = object.good.contains("sizes") ? .these(sampling.sizes ?? []) : .unknown }
    for (key, interval) in [("counters", sampling.counters), ("maps", sampling.maps)] {
      guard object.good.contains(key), let interval, interval < sampling.tick else { continue }
      reading.report(object.source(of: key), "\(interval) is shorter than a tick, which is \(sampling.tick)")
    }
    for (index, size) in (sampling.sizes ?? []).enumerated() where sampling.sizes?[..<index].contains(size) ?? false {
      reading.report(object.source(of: "sizes"), "size \(size) is there twice")
    }
  }

  private static let interval = Form<Seconds?>.either([.word("never", nil), Form<Seconds>.time.map { $0 }])
}
