/// What makes it unwise to touch memory: a hypervisor that takes free memory back would have to give it all again, and may not
/// have it.
public enum TouchHazard: Hashable, Sendable {
  /// A balloon driver has a device.
  case balloon(String)
  /// The balloon also reports free pages to the hypervisor.
  case freePageReporting

  public var description: String {
    switch self {
    case .balloon(let driver): "a balloon (\(driver)) is bound"
    case .freePageReporting: "free pages are reported to the hypervisor"
    }
  }

  /// Linux: `VIRTIO_BALLOON_F_REPORTING`, as a place in the text of features.
  private static let reportingFeature = 5

  /// What is found of it on a host.
  public static func find(on root: Sysroot) -> [TouchHazard] {
    var hazards: [TouchHazard] = []
    let virtio = "sys/bus/virtio/drivers/virtio_balloon"
    for device in (try? root.list(virtio)) ?? [] where device.hasPrefix("virtio") {
      hazards.append(.balloon(device))
      let features = (try? root.readLine("\(virtio)/\(device)/features")) ?? ""
      if features.dropFirst(reportingFeature).first == "1" { hazards.append(.freePageReporting) }
    }
    let hyperV = "sys/bus/vmbus/drivers/hv_balloon"
    if ((try? root.list(hyperV)) ?? []).contains(where: { $0.contains("-") }) { hazards.append(.balloon("hv_balloon")) }
    if root.exists("sys/module/vmw_balloon") { hazards.append(.balloon("vmw_balloon")) }
    if root.exists("sys/devices/system/xen_memory/xen_memory0") { hazards.append(.balloon("xen_memory0")) }
    return hazards
  }
}
