import MemoryUnits
import PhysicalLayout

/// A file that keeps pools, with the whole of its text.
public struct PersistFile: Sendable, Hashable {
  public enum Kind: String, Sendable, CaseIterable {
    case sysctl, unit, grub
  }

  public let kind: Kind
  /// Nil where the plan needs no such file.
  public let text: String?

  /// The first line of each of our files; one without it is somebody else's.
  public static let mark = "# Written by 'megalith persist', which replaces this file."

  public var path: String { Self.path(of: kind) }

  /// Below the root.
  public static func path(of kind: Kind) -> String {
    switch kind {
    case .sysctl: "etc/sysctl.d/\(OtherSettings.ownName).conf"
    case .unit: "etc/systemd/system/\(unitName)"
    case .grub: "etc/default/grub.d/\(OtherSettings.ownName).cfg"
    }
  }

  public static let unitName = "megalith-hugepages.service"
}

extension PersistPlan {
  /// The three files, each with its text or without.
  public var files: [PersistFile] {
    [
      PersistFile(kind: .sysctl, text: sysctl), PersistFile(kind: .unit, text: unit),
      PersistFile(kind: .grub, text: grub),
    ]
  }

  private var sysctl: String? {
    defaultPool.map { "\(PersistFile.mark)\nvm.nr_hugepages = \($0)\n" }
  }

  private var grub: String? {
    guard !parameters.isEmpty else { return nil }
    return "\(PersistFile.mark)\nGRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX \(parameters.joined(separator: " "))\"\n"
  }

  /// A service that sets each pool once and fails where the kernel gave fewer pages.
  private var unit: String? {
    guard !runtimePools.isEmpty else { return nil }
    var lines = [
      PersistFile.mark, "[Unit]", "Description=Pools of huge pages",
      "Documentation=https://docs.kernel.org/admin-guide/mm/hugetlbpage.html", "DefaultDependencies=no",
      "After=systemd-sysctl.service", "Before=sysinit.target shutdown.target kubelet.service libvirtd.service",
      "Conflicts=shutdown.target", "", "[Service]", "Type=oneshot", "RemainAfterExit=yes",
    ]
    // A leading dash lets the others be set where one falls short; the last command then fails for all of them.
    var checks: [String] = []
    for pool in runtimePools {
      let path = "/" + HugePoolFiles(size: pool.size, node: pool.node).totalPath
      lines.append("ExecStart=-/bin/sh -c 'echo \(pool.count) > \(path)'")
      let name = "\(pool.size) pages\(pool.node.map { " on node \($0)" } ?? "")"
      checks.append(
        "read n < \(path); [ \"$$n\" -ge \(pool.count) ] || { echo \"$$n of \(pool.count) \(name)\" >&2; e=1; }")
    }
    lines.append("ExecStart=/bin/sh -c 'e=0; \(checks.joined(separator: "; ")); exit $$e'")
    lines += ["", "[Install]", "WantedBy=sysinit.target"]
    return lines.joined(separator: "\n") + "\n"
  }
}
