import ArgumentParser
import HostMemory

/// The child that `reserve --allow touch` starts. It is nobody else's to use.
struct TouchMemoryCommand: ParsableCommand {
  static let name = "touch-memory"
  static let configuration = CommandConfiguration(
    commandName: name, abstract: "Touch memory for a reservation.", shouldDisplay: false)

  @Argument var limits: [String]

  func run() throws {
    guard let limits = TouchMessage.limits(limits) else { throw ExitStatus.usage("not the limits of a reservation.") }
    let memory = TouchingProcess()
    do throws(HostWriteError) { try memory.standFirstInLine() } catch { throw ExitStatus(error) }
    let toucher = Toucher(
      of: .live, limits, memory, now: { TouchingProcess.now }, isStopped: { memory.isOrphan || Interruption.isRequested })
    let report = try reading { () throws(HostFileError) in try toucher.run() }
    print(TouchMessage.text(report), terminator: "")
  }
}
