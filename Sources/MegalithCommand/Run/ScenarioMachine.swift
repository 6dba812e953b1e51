import FrameMap
import HostMemory
import Lab
import Megalith
import MemoryUnits
import PhysicalLayout

/// Runs scenarios on the machine that they name, captures of hosts among these.
enum ScenarioMachine {
  static func run(_ scenario: Scenario, shouldGoOn: (RunProgress) -> Bool = { _ in true }) throws(ExitStatus) -> RunTrace {
    guard case .capture(let path) = scenario.machine.source else {
      do throws(LabError) {
        return try LabRun.run(scenario, shouldGoOn: shouldGoOn)
      } catch {
        throw ExitStatus(error)
      }
    }
    try check(scenario.machine)
    let machine = try captured(path, model: scenario.machine.model)
    do throws(LabError) {
      return try LabRun.run(scenario, on: machine, shouldGoOn: shouldGoOn)
    } catch {
      throw ExitStatus(error)
    }
  }

  /// A capture is of a machine that has booted: what would be decided at boot has been decided.
  private static func check(_ spec: MachineSpec) throws(ExitStatus) {
    var plain = MachineSpec()
    plain.source = spec.source
    plain.model = spec.model
    plain.policy.largestCacheFolio = spec.policy.largestCacheFolio
    plain.policy.hugePagesInRange = spec.policy.hugePagesInRange
    plain.policy.searchesMovableZones = spec.policy.searchesMovableZones
    guard spec == plain else {
      throw .badData(
        "a machine of a capture takes model, and of policy largest-cache-folio, huge-pages-in-range and search-movable-zones; "
          + "all else is the host's. Leave the rest out.")
    }
  }

  /// The machine of a host as it was in use.
  static func captured(_ path: String, model: MemoryModel) throws(ExitStatus) -> LabMachine {
    let root = Sysroot(path)
    guard root.exists("proc/zoneinfo") else {
      throw .noInput("\(path) is no capture of a host (no proc/zoneinfo). Name a folder that 'megalith capture' made.")
    }
    let owner = CapturedFolios()
    do throws(CapturedMachineError) {
      let machine = try Machine(capture: root, owner: owner, model: model)
      // What a kernel does in passing once somebody asks for memory.
      owner.settle(machine.zones, on: CPUIndex(0))
      owner.handOver(machine.zones, limit: nil)
      return LabMachine(machine, owner: owner)
    } catch {
      throw ExitStatus(error)
    }
  }
}
