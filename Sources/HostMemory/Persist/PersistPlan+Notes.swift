import MemoryUnits
import PhysicalLayout

extension PersistPlan {
  mutating func addNotes(_ way: PersistWay, _ host: PersistHost) {
    let all = Set(bootPages.compactMap(\.size) + runtimePools.map(\.size))
    if !parameters.isEmpty { notes.append("The command line takes effect at the next boot.") }
    addNotesOnRunning(host)
    let late = Set(runtimePools.filter { host.isGigantic($0.size) }.map(\.size)).sorted()
    if !late.isEmpty, area == nil, host.settings.area == nil {
      let names = late.map(\.description).joined(separator: " and ")
      notes.append("The unit asks for \(names) pages after the boot, which may give fewer; it fails then, and says so.")
    }
    if way == .automatic, bootPages.isEmpty, let place = host.settings.area, !late.isEmpty {
      notes.append("\(place) has hugetlb_cma=: gigantic pages come out of that area after the boot. Make it large enough.")
    }
    for (place, isLater) in host.settings.poolSizes
    where defaultPool != nil || runtimePools.contains(where: { $0.size == host.defaultSize }) {
      notes.append(
        isLater
          ? "\(place) sets vm.nr_hugepages too, after our file. Remove it there."
          : "\(place) sets vm.nr_hugepages too; our file comes after it and counts.")
    }
    if host.hasHashTable, let largest = all.max(), host.isGigantic(largest) {
      notes.append(
        "A partition with the hash page table has \(largest) pages only where its profile sets them aside; neither the command "
          + "line nor the unit makes more.")
    }
    if host.hasKubelet {
      notes.append(
        "The kubelet counts huge pages when it starts: restart it once the pools have changed (systemctl restart kubelet). "
          + "After a boot that happens by itself, since the unit and sysctl come first.")
    }
  }

  private mutating func addNotesOnRunning(_ host: PersistHost) {
    guard let running = host.settings.running else { return }
    let place = OtherSettings.runningPlace
    if running.hasReversedAmount {
      notes.append("\(place) has hugepages= before its hugepagesz=, so that it counts for the default size. Correct it.")
    }
    if host.settings.bootParameters.isEmpty, running.hugePages != bootPages, !running.hugePages.isEmpty {
      let words = running.parameters.filter { $0.name.starts(with: Array("hugepages".utf8)) }
        .map { String(decoding: $0.text, as: UTF8.self) }
      notes.append(
        "The running kernel was started with '\(words.joined(separator: " "))'. Where that does not come from our file, take it "
          + "out: the kernel takes the first request of a size.")
    }
  }
}
