import MemoryUnits

/// How steps of address spaces are written.
enum SpaceForm {
  struct Draft: Sendable {
    var space = ""
    var operation: Step.SpaceStep.Operation?
    var isTransparent = false
    var page: PageSize?
  }

  static let form = Form<Step.SpaceStep>.object(
    "space", "What a process does with its memory.", from: Draft(),
    [Field("name", .name, isRequired: true, "The space.") { $0.space = $1 }] + operations + [
      Field("transparent", .truth, "With `map`: whether larger pages are used where they can be had.") { $0.isTransparent = $1 },
      Field("page", .page(.huge), "With `map`: pages of the huge pool of this size.") { $0.page = $1 },
    ],
    rules: [.exactlyOne(operations.map(\.shape.key)), .needs("transparent", "map"), .needs("page", "map")]
  ) { draft, object, reading in
    guard var operation = draft.operation else { return nil }
    if case .map(let amount, _, _) = operation {
      if draft.isTransparent, draft.page != nil {
        reading.report(
          object.source(of: "transparent"),
          "pages of a huge pool are not transparent ones: 'transparent' and 'page' exclude each other")
      }
      operation = .map(amount, transparent: draft.isTransparent, page: draft.page)
    }
    return Step.SpaceStep(space: draft.space, operation)
  }

  private static let operations: [Field<Draft>] = [
    operation("map", .size, "Maps so much and touches all of it.") { .map($0, transparent: false, page: nil) },
    operation("fork", .name, "A copy of the space under this name.") { .fork(to: $0) },
    operation("write", .share, "Writes to a share of the space's pages.") { .write($0) },
    operation("pin", pin, "Pins a share of the space's pages.") { $0 },
    operation("unpin", .word("all", true), "Takes all pins back.") { _ in .unpin },
    operation("unmap", .share, "Unmaps a share, from the end.") { .unmap($0) },
    operation("collapse", .page(.huge), "Makes pages of the size of smaller ones.") { .collapse($0) },
    operation("split", .yes, "Splits pages down to the base size.") { _ in .split },
    operation("exit", .yes, "The process ends.") { _ in .exit },
  ]

  private static func operation<Value>(
    _ key: String, _ form: Form<Value>, _ text: String, _ make: @escaping @Sendable (Value) -> Step.SpaceStep.Operation
  ) -> Field<Draft> {
    Field(key, form, text) { $0.operation = make($1) }
  }

  private struct Pin: Sendable {
    var share = Percent(100)
    var isLongTerm = false
    var call: PageSize?
  }

  private static let pin = Form<Step.SpaceStep.Operation>.either([
    Form<Percent>.share.map { .pin($0, isLongTerm: false, call: nil) },
    .object(
      "pin", "Pins a share of the space's pages.", from: Pin(),
      [
        Field("share", .share, isRequired: true, "How much.") { $0.share = $1 },
        Field("long-term", .truth, "Whether for long: such pages leave movable zones first.") { $0.isLongTerm = $1 },
        Field("call", .page(.any), "How much one call pins; the share is one of calls. One base page where it is left out.") {
          $0.call = $1
        },
      ]
    ) { pin, _, _ in .pin(pin.share, isLongTerm: pin.isLongTerm, call: pin.call) },
  ])
}
