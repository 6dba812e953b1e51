import HostMemory
import Lab
import Megalith
import MemoryUnits
import PhysicalLayout

extension ExitStatus {
  init(_ error: ScenarioProblems) {
    // One mistake a line, with nothing before it, as editors read them.
    self = ExitStatus(code: 65, message: nil, lines: error.problems.map { $0.description(in: error.file) })
  }

  /// A scenario was read and has no machine all the same.
  init(_ error: LabError) {
    switch error {
    case .memory(let problem): self = .badData(problem.forPeople)
    case .firmware(let error): self = ExitStatus(error, path: "machine.firmware", hint: "Give a kernel's log or /proc/iomem.")
    case .holes(.invalidShape(let size, let alignment)):
      self = .badData("holes of \(size) aligned to \(alignment) cannot be. Give a size, and a power of two.")
    case .holes(.noRoom(let placed)): self = .badData("only \(placed) holes have room. Ask for fewer or smaller ones.")
    case .layout: self = .badData("the machine has no memory, or the same twice. Check the memory map.")
    case .machine(.noRoomForMemmap(let wanted, let missing)):
      self = .badData("descriptors take \(wanted), and there is no room for \(missing) of it. Give the machine more memory.")
    case .machine(let error): self = .failed("there is no room for the machine's books: \(error). Make the machine smaller.")
    case .noRoomForKernel(let wanted):
      self = .badData("no range has room for the kernel's \(wanted). Give the machine more memory, or a smaller kernel.")
    case .capture(let path, let reason): self = .badData("\(path): \(reason). Run it with 'megalith run'.")
    case .noRoomForArea(let wanted, let node):
      self = .badData("node \(node) has no range for a contiguous area of \(wanted). Ask for less with hugetlb_cma.")
    }
  }

  init(_ error: SweepFileError) {
    switch error {
    case .system: self = .failed("\(error). Name another file.")
    case .otherFigures: self = .badData("\(error).")
    case .exists: self = .usage("\(error).")
    default: self = .badData("\(error).")
    }
  }
}
