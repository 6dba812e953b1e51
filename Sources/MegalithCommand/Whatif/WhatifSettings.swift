import Lab
import MemoryUnits
import PhysicalLayout

/// What a user wants otherwise at the next boot, read.
struct WhatifSettings {
  /// Parameters that change what a machine of the lab is.
  static let parameterNames = [
    "mem", "memmap", "hugepagesz", "hugepages", "default_hugepagesz", "hugetlb_cma", "kernelcore", "movablecore",
  ]
  static let policyNames = [
    "max-order", "pageblock-order", "group", "fallback", "memmap-place", "huge-pages-in-range", "search-movable-zones",
    "isolation-order", "minimum-free", "largest-cache-folio",
  ]

  private(set) var settings = WhatIf.Settings()
  /// As they were written.
  private(set) var policies: [(name: String, value: String)] = []

  init(_ texts: [String], adding: [String]) throws(ExitStatus) {
    for text in texts {
      for (name, value) in try Self.pairs(text) {
        if Self.parameterNames.contains(name) {
          settings.parameters.append((name, value))
        } else if Self.policyNames.contains(name) {
          policies.append((name, value))
        } else {
          let names = (Self.parameterNames + Self.policyNames).joined(separator: ", ")
          throw .usage("'\(name)' cannot be set; allowed: \(names).")
        }
      }
    }
    let line = KernelCommandLine(
      parsing: Array(settings.parameters.map { "\($0.name)=\($0.value)" }.joined(separator: " ").utf8))
    if let problem = line.problems.first { throw .usage("\(problem.forPeople).") }
    try readPolicies(.x86_64)
    for text in adding { settings.added.append(try Self.memory(text)) }
  }

  /// Commas separate settings; one without `=` behind it belongs to the value before: `hugetlb_cma=0:4G,1:4G`.
  private static func pairs(_ text: String) throws(ExitStatus) -> [(String, String)] {
    var pairs: [(String, String)] = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      if let equals = part.firstIndex(of: "="), equals != part.startIndex {
        pairs.append((String(part[..<equals]), String(part[equals...].dropFirst())))
      } else if !pairs.isEmpty, !part.isEmpty {
        pairs[pairs.count - 1].1 += "," + part
      } else {
        throw .usage("'\(text)' sets nothing. Write KEY=VALUE, with commas between several.")
      }
    }
    return pairs
  }

  /// Policies are read as a scenario's, of a machine with the same base page.
  private mutating func readPolicies(_ architecture: Architecture) throws(ExitStatus) {
    let text = "scenario: settings\nmachine: {preset: \(architecture.name)}\nsteps: [{run: 1s}]\n"
    let overrides = policies.map { ("machine.policy." + ($0.name == "memmap-place" ? "memmap" : $0.name), $0.value) }
    do throws(ScenarioProblems) {
      settings.policy = try ScenarioFile.read(text, overriding: overrides).machine.policy
    } catch {
      let problem = error.problems[0]
      let name =
        if case .override(let path) = problem.source { String(path.split(separator: ".").last ?? "") } else { "a policy" }
      throw .usage("\(name): \(problem.text)" + (problem.allowed.map { "; allowed: \($0)." } ?? "."))
    }
  }

  /// What can be told only now that the host is known.
  mutating func check(_ layout: BootLayout) throws(ExitStatus) {
    switch layout.architecture.baseShift.rawValue {
    case ...12: break
    case 14: try readPolicies(.arm64Granule16K)
    default: try readPolicies(.arm64Granule64K)
    }
    let block = layout.memoryBlockSize
    for memory in settings.added {
      guard layout.nodes.contains(where: { $0.node == memory.node }) else {
        let nodes = layout.nodes.map { "node\($0.node)" }.joined(separator: ", ")
        throw .usage("the host has no node \(memory.node). Add memory to one of \(nodes).")
      }
      guard memory.size > .zero, memory.size.aligned(to: block, .down) == memory.size else {
        throw .usage("memory is plugged in in blocks of \(block). Add a multiple of it.")
      }
    }
  }

  /// `16G@node0`, `16G@0`, or `16G` for node 0.
  private static func memory(_ text: String) throws(ExitStatus) -> (size: ByteCount, node: NodeID) {
    let parts = text.split(separator: "@", omittingEmptySubsequences: false).map(String.init)
    let node = parts.count == 1 ? "0" : parts[1].hasPrefix("node") ? String(parts[1].dropFirst(4)) : parts[1]
    guard parts.count <= 2, let size = try? ByteCount(parsing: parts[0]), let number = UInt32(node) else {
      throw .usage("'\(text)' is no memory to add. Write SIZE@nodeN, as 16G@node0.")
    }
    return (size, NodeID(number))
  }

  /// As on a command line, for people.
  var words: [String] {
    settings.parameters.map { "\($0.name)=\($0.value)" } + policies.map { "\($0.name)=\($0.value)" }
      + settings.added.map { "\($0.size) more on node \($0.node), movable" }
  }
}
