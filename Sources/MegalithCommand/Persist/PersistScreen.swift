import HostMemory
import MemoryUnits

/// A plan as text to look at, and what remains to be done by hand.
struct PersistScreen {
  private let plan: PersistPlan
  private let host: PersistHost
  private let kinds: [PersistFile.Kind]

  init(_ plan: PersistPlan, _ host: PersistHost, only kinds: [PersistFile.Kind]) {
    self.plan = plan
    self.host = host
    self.kinds = kinds
  }

  /// Where GRUB reads no such folder its file would be read by nobody.
  var writtenKinds: [PersistFile.Kind] { kinds.filter { $0 != .grub || host.settings.readsGRUBFolder } }

  func printed() -> [String] {
    var lines: [String] = []
    for file in plan.files where kinds.contains(file.kind) {
      guard let text = file.text else { continue }
      let reader = file.kind == .grub ? "  (GRUB of Debian and Ubuntu)" : ""
      lines +=
        ["== /\(file.path)\(reader)"] + text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
      lines.append("")
    }
    if !plan.parameters.isEmpty { lines += commandLine() + [""] }
    return lines + toDo() + notes()
  }

  func written(_ changes: [PersistWriter.Change]) -> [String] {
    var lines = changes.map { change in
      switch change {
      case .written(let path): "wrote /\(path)"
      case .removed(let path): "removed /\(path), which is needed no more"
      case .unchanged(let path): "/\(path) is as it should be"
      }
    }
    if !plan.parameters.isEmpty, !host.settings.readsGRUBFolder { lines += [""] + commandLine() }
    lines.append("")
    if changes.contains(.removed(path: PersistFile.path(of: .unit))) {
      lines.append("The unit is gone: systemctl daemon-reload && systemctl disable \(PersistFile.unitName)")
    }
    return lines + toDo() + notes()
  }

  private func commandLine() -> [String] {
    let words = plan.parameters.joined(separator: " ")
    return [
      "== kernel command line", words, "", "== other boot loaders",
      "grubby          grubby --update-kernel=ALL --args=\"\(words)\"",
      "rpm-ostree      rpm-ostree kargs" + plan.parameters.map { " --append=\($0)" }.joined(),
      "kernel-install  append it to the line of /etc/kernel/cmdline, then kernel-install add-all",
      "zipl            append it to parameters= in /etc/zipl.conf, then zipl",
    ]
  }

  private func toDo() -> [String] {
    var steps: [String] = []
    for file in plan.files where kinds.contains(file.kind) && file.text != nil {
      switch file.kind {
      case .sysctl: steps.append("sysctl --load /\(file.path)")
      case .unit: steps.append("systemctl daemon-reload && systemctl enable --now \(PersistFile.unitName)")
      case .grub: if host.settings.readsGRUBFolder { steps.append("update-grub  (or grub2-mkconfig -o /boot/grub2/grub.cfg)") }
      }
    }
    return steps.isEmpty ? [] : ["To do:"] + steps.map { "  \($0)" }
  }

  private func notes() -> [String] {
    plan.notes.isEmpty ? [] : ["", "Note:"] + plan.notes.flatMap { Paragraph.wrap($0, indent: "  - ", hanging: "    ") }
  }
}
