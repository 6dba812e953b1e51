#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A toucher in a process of its own. It is never signalled: it ends by itself, and with its parent.
enum ChildProcess {
  static func run(_ program: String, _ arguments: [String]) throws(TouchError) -> TouchReport {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { throw .notStarted(code: errno) }
    defer { close(ends[0]) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
    posix_spawn_file_actions_addclose(&actions, ends[0])
    posix_spawn_file_actions_addclose(&actions, ends[1])
    var words: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) }
    words.append(nil)
    defer { for word in words { free(word) } }
    var child = pid_t()
    let code = posix_spawn(&child, program, &actions, nil, words, environ)
    close(ends[1])
    guard code == 0 else { throw .notStarted(code: code) }

    var output: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 256)
    while true {
      let count = read(ends[0], &chunk, chunk.count)
      if count > 0 { output.append(contentsOf: chunk[..<count]) }
      if count == 0 || (count < 0 && errno != EINTR) { break }
    }
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0, errno == EINTR {}
    guard status == 0, let report = TouchMessage.report(String(decoding: output, as: UTF8.self)) else {
      throw .ended(status: status)
    }
    return report
  }
}
