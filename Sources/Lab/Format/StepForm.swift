import Hotplug
import MemoryUnits

/// How steps are written: a map with the action as its key, and perhaps a note.
enum StepForm {
  /// A list of steps, which a step can hold itself.
  static let steps = Form<[Step]>.list(Form<Step>(.named("step")) { value, reading in step.read(value, &reading) })

  struct Draft: Sendable {
    var action: Step.Action?
    var note: String?
    var mustFail = false
  }

  static let step = Form<Step>.object(
    "step", "One thing that happens.", from: Draft(),
    actions + [
      Field("note", .text, "For a reader: shown with what came of the step.") { $0.note = $1 },
      Field("fails", .yes, "The step is there to show that it fails: the run ends in failure where all of it comes true.") {
        $0.mustFail = $1
      },
    ],
    rules: [.exactlyOne(actions.map(\.shape.key))]
  ) { draft, object, reading in
    guard let action = draft.action else { return nil }
    var step = Step(action, place: object.value.source.textPlace, note: draft.note)
    step.mustFail = draft.mustFail
    if draft.mustFail, !mayFail.contains(where: object.has) {
      reading.report(object.source(of: "fails"), "a step of this kind cannot fail", allowed: mayFail.joined(separator: ", "))
    }
    return step
  }

  /// Steps that may come to nothing, or to a part. What an expectation says can be turned round instead.
  private static let mayFail = ["allocate", "pool", "add", "online", "offline", "remove", "space"]

  private static let actions: [Field<Draft>] = [
    action("start", names, "Clients begin to allocate as time passes.") { .start($0) },
    action("stop", stop, "Clients end, and what they hold is freed.") { $0 },
    action("run", .time, "Time passes.") { .run($0) },
    action("allocate", allocate, "A client allocates at once.") { .allocate($0) },
    action("free", free, "A client gives a share of what it holds back.") { $0 },
    action("pool", pool, "Sets how many pages a huge pool has.") { .pool($0) },
    action("compact", compact, "Brings together what is free: in all zones, or until a page of the size is free.") {
      .compact($0)
    },
    action("drop", drop, "Drops file cache: all of it, or so much.") { .drop($0) },
    action("add", HotplugForm.add, "Adds memory behind the end of what is there.") { .hotplug($0) },
    action("online", HotplugForm.online, "Puts online what an `add` brought.") { .hotplug($0) },
    action("offline", HotplugForm.offline, "Takes offline what an `add` brought.") { .hotplug($0) },
    action("remove", HotplugForm.remove, "Takes away what an `add` brought, once it is offline.") { .hotplug($0) },
    action("space", SpaceForm.form, "What a process does with its memory. A space comes into being when it first maps something.")
    {
      .space($0)
    },
    action(
      "expect", ExpectationForm.form, "Something that must hold now. The run goes on where it does not, and ends in failure."
    ) { .expect($0) },
    action("snapshot", .text, "A row of counters and a map, under this name.") { .snapshot($0) },
    action("repeat", repeated, "Steps that happen several times.") { $0 },
  ]

  private static func action<Value>(
    _ key: String, _ form: Form<Value>, _ text: String, _ make: @escaping @Sendable (Value) -> Step.Action
  ) -> Field<Draft> {
    Field(key, form, text) { $0.action = make($1) }
  }

  /// The name of a client of the file.
  static func client(needsFigures: Bool = false) -> Form<String> {
    Form<String>.name.checked { name, value, reading in
      reading.later { facts in
        guard facts.clients.contains(name) else {
          let allowed = facts.clients.isEmpty ? "none: the file has no clients" : facts.clients.joined(separator: ", ")
          return ScenarioProblem(
            value.source, "there is no client \(quote(name))", allowed: allowed,
            suggestion: suggestion(for: name, among: facts.clients))
        }
        guard needsFigures, facts.workloads.contains(name) else { return nil }
        let allowed = facts.clients.filter { !facts.workloads.contains($0) }.joined(separator: ", ")
        return ScenarioProblem(
          value.source, "client \(quote(name)) is a workload, which has no figures to allocate by",
          allowed: allowed.isEmpty ? "a client with sizes" : allowed)
      }
      return true
    }
  }

  private static let names = Form<[String]>.either([client().map { [$0] }, .list(client())]).checked { names, value, reading in
    for (index, name) in names.enumerated() where names[..<index].contains(name) {
      reading.report(value.list?[index].source ?? value.source, "client \(quote(name)) is there twice")
      return false
    }
    return true
  }

  private struct Stop: Sendable {
    var names: [String] = []
    var keeps = false
  }

  private static let stop = Form<Step.Action>.either([
    names.map { .stop($0, keeps: false) },
    .object(
      "stop", "Clients end.", from: Stop(),
      [
        Field("clients", names, isRequired: true, "Which.") { $0.names = $1 },
        Field("keep", .truth, "Whether what they hold stays until its lifetime ends.") { $0.keeps = $1 },
      ]
    ) { stop, _, _ in .stop(stop.names, keeps: stop.keeps) },
  ])

  private static let allocate = Form<Step.AllocateStep>.object(
    "allocate", "A client allocates at once.", from: Step.AllocateStep(client: "", amount: .zero),
    [
      Field("client", client(needsFigures: true), isRequired: true, "Who.") { $0.client = $1 },
      Field("amount", .size, isRequired: true, "How much.") { $0.amount = $1 },
      Field("size", .page(.any), "In folios of this size; in the client's own sizes where it is left out.") { $0.size = $1 },
      Field("contiguous", .truth, "Whether it is got by a search for contiguous ranges, and not from the lists of free memory.") {
        $0.isContiguous = $1
      },
      Field("required", .truth, "Whether the run ends in failure where not all could be had.") { $0.isRequired = $1 },
    ]
  ) { step, object, reading in
    if let size = step.size, object.isWhole, step.amount < size.bytes {
      reading.report(object.source(of: "amount"), "\(step.amount) is less than one folio of \(size)")
    }
  }

  private struct Free: Sendable {
    var client = ""
    var share = Percent(100)
    var pick = Step.Pick.random
  }

  private static let free = Form<Step.Action>.object(
    "free", "A client gives memory back.", from: Free(),
    [
      Field("client", client(), isRequired: true, "Who.") { $0.client = $1 },
      Field("share", .share, "How much of what it holds; `100%` where it is left out.") { $0.share = $1 },
      Field("pick", .choice, "Which folios; `random` where it is left out.") { $0.pick = $1 },
    ]
  ) { free, _, _ in .free(client: free.client, share: free.share, pick: free.pick) }

  private static let pool = Form<Step.PoolStep>.object(
    "pool", "Sets how many pages a huge pool has.", from: Step.PoolStep(size: PageSize(shift: PageShift(21)), pages: .zero),
    [
      Field("size", .page(.huge), isRequired: true, "The pages' size.") { $0.size = $1 },
      Field("pages", .integer(0...1 << 40), isRequired: true, "How many it is to have.") { $0.pages = PageCount($1) },
      Field("node", .node, "On this node; on all together where it is left out.") { $0.node = $1 },
    ])

  private static let compact = Form<PageSize?>.either([.word("zone", nil), Form<PageSize>.page(.any).map { $0 }])

  private static let drop = Form<ByteCount?>.either([.word("all", nil), Form<ByteCount>.size.map { $0 }])

  private struct Repeat: Sendable {
    var times: UInt32 = 1
    var steps: [Step] = []
  }

  private static let repeated = Form<Step.Action>.object(
    "repeat", "Steps that happen several times.", from: Repeat(),
    [
      Field("times", .integer(1...1_000_000), isRequired: true, "How often.") { $0.times = UInt32($1) },
      Field("steps", steps, isRequired: true, "What happens each time.") { $0.steps = $1 },
    ]
  ) { repeated, _, _ in .repeated(times: repeated.times, repeated.steps) }
}
