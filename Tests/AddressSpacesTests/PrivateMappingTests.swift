import Testing

/// Anonymous mappings of huge pages: what is reserved, used, and given back.
@Suite struct PrivateMappingTests {
  @Test(arguments: HugeCase.all + HugeCase.everySize) func pagesAreReservedAtMapAndUsedAtFault(_ at: HugeCase) throws {
    try at.run(
      """
      pool 4          | 4 4 0 0
      space p         | 4 4 0 0
      p map a 3       | 4 4 3 0
      p read a 0      | 4 3 2 0
      p write a 0     | 4 3 2 0
      p write a 1     | 4 2 1 0
      p map b 2 !notReserved.notEnough | 4 2 1 0
      p map b 1       | 4 2 2 0
      p unmap b       | 4 2 1 0
      p unmap a       | 4 4 0 0
      """)
  }

  @Test(arguments: HugeCase.all) func withoutReservationTheFaultMayFindNoPage(_ at: HugeCase) throws {
    try at.run(
      """
      pool 2                     | 2 2 0 0
      space p                    | 2 2 0 0
      p map a 4 noreserve        | 2 2 0 0
      p map b 1                  | 2 2 1 0
      p write a 0                | 2 1 1 0
      p write a 1 !noHugePage    | 2 1 1 0
      p read a 2 !noHugePage     | 2 1 1 0
      p write b 0                | 2 0 0 0
      p write a 1 !noHugePage    | 2 0 0 0
      p unmap a 0                | 2 1 0 0
      p write a 3                | 2 0 0 0
      p unmap b                  | 2 1 0 0
      """)
  }

  @Test(arguments: HugeCase.all) func partsAreUnmappedWithTheirReservations(_ at: HugeCase) throws {
    try at.run(
      """
      pool 8              | 8 8 0 0
      space p             | 8 8 0 0
      p map a 6           | 8 8 6 0
      p write a 0..2      | 8 6 4 0
      p unmap a 1..3      | 8 7 3 0
      p read a 1 !noMapping | 8 7 3 0
      p read a 2 !noMapping | 8 7 3 0
      p write a 4         | 8 6 2 0
      p unmap a 4..5      | 8 7 2 0
      p unmap a 0..6      | 8 8 0 0
      p unmap a 0..6      | 8 8 0 0
      """)
  }

  @Test(arguments: HugeCase.all) func rangesThatWouldCutAPageAreRefused(_ at: HugeCase) throws {
    try at.run(
      """
      pool 4                            | 4 4 0 0
      space p                           | 4 4 0 0
      p map a 3                         | 4 4 3 0
      p write a 0..2                    | 4 2 1 0
      p unmap a 0~..2 !misaligned       | 4 2 1 0
      p unmap a 0..1~ !misaligned       | 4 2 1 0
      p protect a 0..1~ r !misaligned   | 4 2 1 0
      p protect a 1~..2 r !misaligned   | 4 2 1 0
      p advise a 0..1~ notNeeded !misaligned | 4 2 1 0
      p remap a 0..1~ b 1 anywhere !misaligned | 4 2 1 0
      p remap a 0..1 b 1 at:a+5~ !misaligned | 4 2 1 0
      p map b 1~ !misaligned            | 4 2 1 0
      p map b 0 !misaligned             | 4 2 1 0
      p map b 1 at:a+5~ !misaligned     | 4 2 1 0
      p map b 1 over:a+1~ !misaligned   | 4 2 1 0
      p map b 1 at:a+2 !occupied        | 4 2 1 0
      p map b 1 size:base over:a+1 !misaligned | 4 2 1 0
      p map b 1 at:a+3                  | 4 2 2 0
      """)
  }

  @Test(arguments: HugeCase.all) func aMappingInPlaceOfOthersTakesTheirAddresses(_ at: HugeCase) throws {
    try at.run(
      """
      pool 8                     | 8 8 0 0
      space p                    | 8 8 0 0
      p map a 4                  | 8 8 4 0
      p write a 0..4             | 8 4 0 0
      p map b 2 over:a+1         | 8 6 2 0
      p read a 1                 | 8 5 1 0
      p map c 4 over:a+0 size:base !misaligned | 8 5 1 0
      p map c 3 over:a+2         | 8 6 3 0
      p map d 4 over:a+0 !notReserved | 8 6 3 0
      p map d 3 over:a+1 ro      | 8 7 4 0
      p write a 1 !protection    | 8 7 4 0
      """)
  }

  @Test(arguments: HugeCase.all) func whatCannotBePopulatedLeavesNothing(_ at: HugeCase) throws {
    try at.run(
      """
      pool 3                           | 3 3 0 0
      space p                          | 3 3 0 0
      p map a 2 populate               | 3 1 0 0
      p map b 2 noreserve populate !noHugePage | 3 1 0 0
      p map b 1 noreserve populate     | 3 0 0 0
      p map c 1 none populate !notReserved | 3 0 0 0
      p unmap a                        | 3 2 0 0
      p map c 1 none populate !unsuitable | 3 2 0 0
      p map c 2 ro populate            | 3 0 0 0
      """)
  }

  @Test(arguments: HugeCase.all) func neighboursBecomeOneAndAreTakenApart(_ at: HugeCase) throws {
    try at.run(
      """
      pool 8               | 8 8 0 0
      space p              | 8 8 0 0
      p map a 2            | 8 8 2 0
      p map c 2 at:a+4     | 8 8 4 0
      p map b 2 at:a+2     | 8 8 6 0
      p write a 1..5       | 8 4 2 0
      p protect a 2..4 r   | 8 4 2 0
      p unmap a 1..3       | 8 6 2 0
      p protect a 3..4 rw  | 8 6 2 0
      p write a 3          | 8 6 2 0
      p unmap a 0..6       | 8 8 0 0
      """)
  }

  @Test(arguments: HugeCase.all) func sizesLiveSideBySide(_ at: HugeCase) throws {
    let other = at.size == .huge ? "1G" : "2M"
    try at.run(
      """
      pool 3                       | 3 3 0 0 | \(other): 0 0 0 0
      pool: \(other) 2             | 3 3 0 0 | \(other): 2 2 0 0
      space p                      | 3 3 0 0
      p map s 5 size:base          | 3 3 0 0
      p map a 2                    | 3 3 2 0 | \(other): 2 2 0 0
      p map b 1 size:\(other)      | 3 3 2 0 | \(other): 2 2 1 0
      p write s 0..5               | 3 3 2 0
      p write a 0                  | 3 2 1 0
      p write b 0                  | 3 2 1 0 | \(other): 2 1 0 0
      fork p c                     | 3 2 1 0 | \(other): 2 1 0 0
      c write s 0..5               | 3 2 1 0
      c write a 0                  | 3 1 1 0
      c write b 0                  | 3 1 1 0 | \(other): 2 0 0 0
      p unmap s 1..3               | 3 1 1 0
      end p                        | 3 2 0 0 | \(other): 2 1 0 0
      c unmap b                    | 3 2 0 0 | \(other): 2 2 0 0
      """, memory: .gibibytes(10))
  }

  @Test(arguments: MemoryModels.all) func pagesOfTheBootAreInThePool(_ at: HugeCase) throws {
    try at.run(
      """
      space p                      | 0 0 0 0 | 1G: 1 1 0 0
      p map b 1 size:1G            | 0 0 0 0 | 1G: 1 1 1 0
      p write b 0                  | 0 0 0 0 | 1G: 1 0 0 0
      p map c 1 size:1G !notReserved | 0 0 0 0 | 1G: 1 0 0 0
      pool: 1G 0                   | 0 0 0 0 | 1G: 1 0 0 1
      p unmap b                    | 0 0 0 0 | 1G: 0 0 0 0
      """, memory: .gibibytes(4), commandLine: "hugepagesz=1G hugepages=1")
  }

  @Test(arguments: MemoryModels.all) func whatWasWrittenIsRead(_ at: HugeCase) throws {
    try HugeCase.runWithContents(
      """
      pool 4          | 4 4 0 0
      space p         | 4 4 0 0
      p map a 3       | 4 4 3 0
      p see a 0 0     | 4 3 2 0
      p put a 0 7     | 4 3 2 0
      p put a 1 8     | 4 2 1 0
      p see a 0 7     | 4 2 1 0
      p see a 1 8     | 4 2 1 0
      p unmap a 0     | 4 3 1 0
      p map b 1       | 4 3 2 0
      p see b 0 0     | 4 2 1 0
      p see a 1 8     | 4 2 1 0
      """, model: at.model)
  }
}
