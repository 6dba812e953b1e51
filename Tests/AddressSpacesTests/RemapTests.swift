import Testing

/// Mappings that move, shrink and grow.
@Suite struct RemapTests {
  @Test(arguments: HugeCase.all + HugeCase.everySize) func pagesGoWithTheirMapping(_ at: HugeCase) throws {
    try at.run(
      """
      pool 6                          | 6 6 0 0
      space p                         | 6 6 0 0
      p map a 4                       | 6 6 4 0
      p write a 0..2                  | 6 4 2 0
      p remap a 0..4 b 4 at:a+8       | 6 4 2 0
      p read a 0 !noMapping           | 6 4 2 0
      p read b 0..2                   | 6 4 2 0
      p write b 2                     | 6 3 1 0
      p remap b 0..4 b 3 anywhere     | 6 3 0 0
      p remap b 0..3 b 2 nowhere      | 6 4 0 0
      p remap b 0..2 c 1 at:b+4       | 6 5 0 0
      p read b 0 !noMapping           | 6 5 0 0
      p read b 1 !noMapping           | 6 5 0 0
      p write c 0                     | 6 5 0 0
      """)
  }

  @Test(arguments: HugeCase.all) func hugeMappingsDoNotGrow(_ at: HugeCase) throws {
    try at.run(
      """
      pool 6                                 | 6 6 0 0
      space p                                | 6 6 0 0
      p map a 2                              | 6 6 2 0
      p write a 0                            | 6 5 1 0
      p remap a 0..2 b 3 anywhere !unsuitable | 6 5 1 0
      p remap a 0..2 b 3 nowhere !unsuitable  | 6 5 1 0
      p remap a 0..2 b 3 at:a+4 !unsuitable   | 6 5 1 0
      p remap a 0..3 b 2 anywhere !noMapping  | 6 5 1 0
      p remap a 3..4 b 1 anywhere !noMapping  | 6 5 1 0
      p remap a 0..2 b 2 at:a+1 !occupied     | 6 5 1 0
      p remap a 0..2 b 2 over:a+1 !occupied   | 6 5 1 0
      p remap a 0..2 b 2 anywhere             | 6 5 1 0
      """)
  }

  @Test(arguments: HugeCase.all) func aPartMovesOntoWhatIsThere(_ at: HugeCase) throws {
    try at.run(
      """
      pool 8                           | 8 8 0 0
      space p                          | 8 8 0 0
      p map a 3                        | 8 8 3 0
      p map b 3 at:a+4                 | 8 8 6 0
      p write a 0..2                   | 8 6 4 0
      p write b 0..3                   | 8 3 1 0
      p remap a 1..2 c 1 at:b+1 !occupied | 8 3 1 0
      p remap a 1..2 c 1 over:b+1      | 8 4 1 0
      p read a 1 !noMapping            | 8 4 1 0
      p write c 0                      | 8 4 1 0
      p remap a 2..3 d 1 over:b+0      | 8 5 1 0
      p write b 0                      | 8 4 0 0
      p unmap a 0..8                   | 8 8 0 0
      """)
  }

  @Test(arguments: HugeCase.all) func forksAndFilesKeepTheirPages(_ at: HugeCase) throws {
    try at.run(
      """
      pool 6                          | 6 6 0 0
      file f 2                        | 6 6 0 0
      space p                         | 6 6 0 0
      p map a 2                       | 6 6 2 0
      p share s 2 f 0                 | 6 6 4 0
      p write a 0                     | 6 5 3 0
      p write s 1                     | 6 4 2 0
      fork p c                        | 6 4 2 0
      p remap a 0..2 b 2 at:s+8       | 6 4 2 0
      p remap s 0..2 t 2 at:s+12      | 6 4 2 0
      c read a 0                      | 6 4 2 0
      p write b 0                     | 6 3 2 0
      c write a 0                     | 6 3 2 0
      p write b 1                     | 6 2 1 0
      p write t 0                     | 6 1 0 0
      c write s 0..2                  | 6 1 0 0
      """)
  }

  @Test(arguments: MemoryModels.all) func basePagesGrowInPlaceAndByMoving(_ at: HugeCase) throws {
    try HugeCase.runWithContents(
      """
      space p                            | 0 0 0 0
      p map a 3 size:base                | 0 0 0 0
      p put a 0 1                        | 0 0 0 0
      p put a 2 3                        | 0 0 0 0
      p remap a 0..3 a 5 nowhere         | 0 0 0 0
      p put a 4 5                        | 0 0 0 0
      p map w 1 at:a+6 size:base         | 0 0 0 0
      p put w 0 9                        | 0 0 0 0
      p remap a 0..5 a 6 nowhere         | 0 0 0 0
      p remap a 0..6 b 7 nowhere !noAddresses | 0 0 0 0
      p remap a 0..6 b 7 anywhere        | 0 0 0 0
      p see b 0 1                        | 0 0 0 0
      p see b 2 3                        | 0 0 0 0
      p see b 4 5                        | 0 0 0 0
      p see b 6 0                        | 0 0 0 0
      p see a 0 1 !noMapping             | 0 0 0 0
      p remap b 2..5 c 5 over:a+2        | 0 0 0 0
      p see c 0 3                        | 0 0 0 0
      p see c 2 5                        | 0 0 0 0
      p see c 4 0                        | 0 0 0 0
      p see b 6 0                        | 0 0 0 0
      p see b 2 0 !noMapping             | 0 0 0 0
      """, model: at.model)
  }
}
