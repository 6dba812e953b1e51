import ArgumentParser
struct CaptureCommand: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "capture")
}
