import Foundation
import Testing

@testable import Lab

struct JobFileTests {
  static let jobs = LabFixture.root.appending(path: "Samples/jobs")

  @Test func theSlurmScriptIsBash() throws {
    let result = try LabProcess.run("bash", ["-n", Self.jobs.appending(path: "slurm-array.sh").path])
    #expect(result.status == 0, "\(result.errors)")
  }

  @Test func aSlurmTaskRunsItsShard() throws {
    let folder = try LabFolder()
    let result = try run(
      ["bash", Self.jobs.appending(path: "slurm-array.sh").path, "day one.yaml", folder.path("results"), "--sweep", "seed=1,2"],
      ["SLURM_ARRAY_TASK_ID": "3", "SLURM_CPUS_PER_TASK": "2", "SHARDS": "16"], folder)
    let results = folder.path("results")
    #expect(
      result.output.split(separator: "\n") == [
        "run", "day one.yaml", "--sweep", "seed=1,2", "--shard", "3/16", "--jobs", "2", "--results", "\(results)/part-3.csv",
        "--resume",
      ])
    #expect(FileManager.default.fileExists(atPath: results))
  }

  @Test(arguments: [["SLURM_ARRAY_TASK_ID": "9"], ["SLURM_ARRAY_TASK_ID": "0"], [:]])
  func aSlurmTaskBeyondTheShardsFails(_ environment: [String: String]) throws {
    let folder = try LabFolder()
    let result = try run(
      ["bash", Self.jobs.appending(path: "slurm-array.sh").path, "a.yaml", folder.path("results")], environment, folder)
    #expect(result.status != 0)
    #expect(result.output.isEmpty)
    #expect(!result.errors.isEmpty)
  }

  @Test func theKubernetesJobRunsItsShards() throws {
    let text = try String(contentsOf: Self.jobs.appending(path: "kubernetes-indexed-job.yaml"), encoding: .utf8)
    let (value, problems) = YAMLText.read(text)
    #expect(problems.isEmpty)
    let job = try #require(value?.json as? [String: Any])
    let spec = try #require(job["spec"] as? [String: Any])
    #expect(spec["completionMode"] as? String == "Indexed")
    let template = try #require((spec["template"] as? [String: Any])?["spec"] as? [String: Any])
    let container = try #require((template["containers"] as? [[String: Any]])?.first)
    let shards = try #require((container["env"] as? [[String: Any]])?.first?["value"] as? String)
    #expect(spec["completions"] as? Int == Int(shards))
    let command = try #require(container["command"] as? [String])
    let folder = try LabFolder()
    for index in [0, 7] {
      let result = try run(command, ["JOB_COMPLETION_INDEX": "\(index)", "SHARDS": shards], folder)
      #expect(
        result.output.split(separator: "\n") == [
          "run", "/scenario/scenario.yaml", "--sweep", "machine.policy.group=1G,4G", "--seeds", "100", "--shard",
          "\(index + 1)/8",
          "--jobs", "2", "--results", "/results/part-\(index + 1).csv", "--resume",
        ])
    }
    let mounts = (container["volumeMounts"] as? [[String: Any]])?.compactMap { $0["name"] as? String }
    let volumes = (template["volumes"] as? [[String: Any]])?.compactMap { $0["name"] as? String }
    #expect(mounts == volumes)
  }

  /// Runs a command with a `megalith` that says how it was called, an argument a line.
  private func run(_ command: [String], _ environment: [String: String], _ folder: LabFolder) throws -> LabProcess.Result {
    let fake = folder.path("bin/megalith")
    try FileManager.default.createDirectory(atPath: folder.path("bin"), withIntermediateDirectories: true)
    try Data("#!/bin/sh\nprintf '%s\\n' \"$@\"\n".utf8).write(to: URL(filePath: fake))
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: fake)
    var environment = environment
    environment["PATH"] = folder.path("bin") + ":" + (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin")
    return try LabProcess.run(command[0], Array(command.dropFirst()), environment: environment)
  }
}
