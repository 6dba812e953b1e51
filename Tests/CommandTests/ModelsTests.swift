import Foundation
import Testing

@Suite struct ModelsTests {
  private func models(_ arguments: String...) throws -> (document: [String: Any], models: [String: [String: Any]]) {
    let outcome = try Command.run(arguments: ["models", "--json"] + arguments)
    #expect(outcome.code == 0, "\(outcome.errors)")
    let document = try #require(try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
    var byName: [String: [String: Any]] = [:]
    for model in try #require(document["models"] as? [[String: Any]]) {
      byName[try #require(model["model"] as? String)] = model
    }
    return (document, byName)
  }

  private func bytes(_ model: [String: Any]?, _ key: String) -> [Int?] {
    let kernel = (model?["kernel"] as? [String: Any])?[key] as? Int
    return [kernel, (model?["own"] as? [String: Any])?[key] as? Int]
  }

  /// By hand: 8 GiB with a device hole of 1 GiB end at 9 GiB. Frames 0 and 0x9f to 0xff are no memory: 98 frames.
  @Test func theAccountIsWhatAHandComputes() throws {
    let (document, models) = try models("--memory", "8G")
    #expect(document["schema"] as? String == "megalith.models/1")
    let memory = (8 << 18) - 98
    #expect(document["memoryFrames"] as? Int == memory)
    // Flat begins with the first frame of memory.
    let span = (9 << 18) - 1
    #expect(bytes(models["flat"], "memmapBytes") == [span * 64, span * 32])
    #expect(bytes(models["flat"], "bytesWastedOnHoles") == [(span - memory) * 64, (span - memory) * 32])
    for name in ["sparse", "sparse-extreme", "vmemmap"] {
      #expect(bytes(models[name], "memmapBytes") == [(8 << 18) * 64, (8 << 18) * 32])
      #expect(bytes(models[name], "bytesWastedOnHoles") == [98 * 64, 98 * 32])
      #expect(models[name]?["sections"] as? Int == 64)
    }
    // 2^19 sections of 8 bytes each, 8192 + 128 + 2 + 1 words of presence, and the frame bits of one section.
    #expect(models["sparse"]?["tableBytes"] as? Int == (8 << 19) + 8323 * 8 + 4096)
    // 1024 pointers, one leaf of 512 sections.
    #expect(models["sparse-extreme"]?["tableBytes"] as? Int == 8192 + 4096 + 8323 * 8 + 4096)
    #expect(models["sparse"]?["longestRunFrames"] as? Int == 32_768)
    #expect(models["vmemmap"]?["longestRunFrames"] as? Int == 5 << 18)
    #expect(models["vmemmap"]?["shortestRunFrames"] as? Int == 3 << 18)
    #expect(models["sparse"]?["isGiganticContiguous"] as? Bool == false)
    #expect(models["vmemmap"]?["isGiganticContiguous"] as? Bool == true)
  }

  @Test(arguments: ["x86_64", "i386", "arm64-4k", "arm64-16k", "arm64-64k", "ppc64", "s390x", "riscv64"])
  func everyPresetIsShown(architecture: String) throws {
    let outcome = try Command.run("models", "--memory", "16G", "--holes", "64:random", "--architecture", architecture)
    #expect(outcome.code == 0, "\(outcome.errors)")
    let lines = outcome.output.split(separator: "\n")
    #expect(lines.allSatisfy { $0.count <= 80 })
    #expect(lines.contains { $0.contains("has no gigantic page") } == (architecture == "i386"))
    #expect(lines.filter { $0.contains("sparse-extreme") }.count == (architecture == "i386" ? 2 : 3))
  }
}
