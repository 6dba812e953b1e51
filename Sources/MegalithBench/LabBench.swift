import ArgumentParser
import Glibc
import Lab
import MemoryUnits
import PhysicalLayout

struct LabBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lab", abstract: "How fast the lab lives through a workload, and how much memory that takes.",
    discussion: """
      A machine of a size, one workload from its start on, hourly counters. Time is by the clock, and what this process used; \
      memory is the most that was resident. A step is one folio allocated or freed.
      """)

  @Option(help: "Memory of the machine.") var memory = "256G"
  @Option(help: "Hours of the machine's life.") var hours: UInt64 = 24
  @Option(help: "server, network, streaming, forks, guests, pins or build.") var workload = "server"
  @Option(help: "Seed.") var seed: UInt64 = 1
  @Flag(help: "Every row of counters.") var rows = false
  @Option(help: "Counters to print.") var show =
    "free,cache,movable,fixed-share,spoilt.2M,spoilt.1G,obtainable.2M,obtainable.1G,polluted"
  @Flag(help: "With the policy that never pollutes.") var never = false
  @Option(help: "Load in percent.") var load: UInt64 = 100
  @Option(help: "Repeated builds, in place of hours.") var builds: UInt32 = 0

  func run() throws {
    guard let kind = WorkloadSpec.Kind(rawValue: workload) else { throw ValidationError("there is no workload \(workload)") }
    let size = try ByteCount(parsing: memory)
    var scenario = Scenario(name: "bench")
    scenario.seed = seed
    scenario.machine.source = .memory([size])
    if never { scenario.machine.policy.fallback = .never }
    var spec = WorkloadSpec(kind)
    spec.load = Percent(load)
    scenario.clients = [ClientSpec(name: "it", kind: .workload(spec))]
    let length = Seconds(hours * 3600)
    scenario.steps = [Step(.start(["it"])), Step(.run(length))]
    if builds > 0 {
      scenario.steps = [
        Step(.repeated(times: builds, [Step(.start(["it"])), Step(.run(Seconds(220))), Step(.snapshot("build"))]))
      ]
    }
    let start = seconds(CLOCK_MONOTONIC)
    let cpu = seconds(CLOCK_PROCESS_CPUTIME_ID)
    let trace = try LabRun.run(scenario)
    let took = seconds(CLOCK_MONOTONIC) - start
    let used = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu
    if rows {
      let names = show.split(separator: ",").map(String.init)
      print("hours", names.joined(separator: "\t"), separator: "\t")
      for (row, time) in trace.times.enumerated() {
        let cells = names.map { name in trace.series.first { $0.name == name }.map { $0.unit.text($0.values[row]) } ?? "-" }
        print(Double(time) / 3600, cells.joined(separator: "\t"), separator: "\t")
      }
    }
    let steps = trace.figures.first { $0.name == "steps" }?.value ?? 0
    print(
      "\(kind.rawValue), \(size), \(length): \(steps) steps in \(round(took * 10) / 10) s (\(round(used * 10) / 10) s of processor), "
        + "\(UInt64(Double(steps) / took)) steps a second, at most \(peak()) resident")
  }

  private func seconds(_ clock: clockid_t) -> Double {
    var time = timespec()
    clock_gettime(clock, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  private func peak() -> String {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return RunTrace.Unit.bytes.text(UInt64(usage.ru_maxrss) << 10)
  }
}
