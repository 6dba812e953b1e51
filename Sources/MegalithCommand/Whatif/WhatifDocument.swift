import Lab
import MemoryUnits

/// `megalith.whatif/1`. Keys are only ever added.
struct WhatifDocument: Encodable {
  let schema = "megalith.whatif/1"
  /// Of each life.
  let seconds: UInt64
  let seed: UInt64
  /// As they were given.
  let settings: [String: String]
  let added: [Added]
  let sizes: [Size]
  /// Bytes that the life holds, by whom.
  let life: [String: UInt64]
  let steps: [Step]
  let assumptions: [String]

  struct Added: Encodable {
    let node: UInt32
    let bytes: UInt64
  }

  struct Size: Encodable {
    let size: String
    /// By the survey's own judgement.
    let survey: UInt64
    let now: WhatifResult.Pages
    let later: WhatifResult.Pages
    let booted: WhatifResult.Pages
    let bootedLater: WhatifResult.Pages
  }

  /// What happened between the boot and the life.
  struct Step: Encodable {
    let step: String
    let outcome: String
    let text: String
  }

  init(_ result: WhatifResult) {
    seconds = result.length.rawValue
    seed = result.seed
    let pairs = result.settings.settings.parameters + result.settings.policies
    settings = Dictionary(pairs.map { ($0.name, $0.value) }) { $0 + " " + $1 }
    added = result.settings.settings.added.map { Added(node: $0.node.rawValue, bytes: $0.size.rawValue) }
    sizes = result.sizes.map {
      Size(
        size: $0.size.description, survey: $0.survey, now: $0.now, later: $0.later, booted: $0.booted,
        bootedLater: $0.bootedLater)
    }
    life = Dictionary(uniqueKeysWithValues: result.life.amounts.map { ($0.name, $0.size.rawValue) })
    steps = result.steps.map { Step(step: $0.step, outcome: $0.outcome.rawValue, text: $0.text) }
    assumptions = result.assumptions
  }
}
