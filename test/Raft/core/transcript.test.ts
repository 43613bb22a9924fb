/** Stories of clusters, from test/Raft/core/transcripts: each file is a test, and says in its comments where it is from. */
import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { runTranscript, titleOf } from "./Transcript.ts"

const directory = fileURLToPath(new URL("./transcripts/", import.meta.url))

describe("transcripts", () => {
  for (const file of readdirSync(directory).toSorted()) {
    const text = readFileSync(directory + file, "utf8")
    it(titleOf(text), () => runTranscript(file, text))
  }
})

describe("the language of transcripts", () => {
  const failsWith = (text: string, message: RegExp) =>
    assert.throws(() => runTranscript("story.txt", `# A story\n${text}`), message)

  it("a word that it does not have is an error that names file and line", () => {
    failsWith("cluster 1 2 3\nrunaway 1", /story\.txt:3: runaway 1: "runaway" is no word of this language/)
    failsWith("cluster 1\nexpect miracle 1", /story\.txt:3: .*"expect miracle" is no word/)
    failsWith("cluster 1\ncampaign 2", /story\.txt:3: .*no node is named "2"/)
    failsWith("cluster 1 2\ndeliver 1→2", /story\.txt:3: .*nothing of the kind is on its way 1→2/)
  })

  it("a line that says more than it means, or of what is not there, is an error", () => {
    failsWith("cluster 1 2 3\nexpect follower 1 2", /story\.txt:3: .*"2" is too much/)
    failsWith("cluster 1 2 3\ncrash 1 2", /story\.txt:3: .*"2" is too much/)
    failsWith("cluster 1 2 3\ncut 1→9", /story\.txt:3: .*no node is named "9"/)
    failsWith("cluster 1 2 3\nrun 300", /story\.txt:3: .*"300" is no time/)
  })

  it("an expectation that fails says what was found", () => {
    failsWith("cluster 1 2 3\nexpect leader 1", /story\.txt:3: .*of 1 this was found: Follower/)
  })

  it("a refusal that the story does not expect is an error", () => {
    failsWith("cluster 1 2 3\npropose 1 x\ndeliver all", /story\.txt:4: .*refused: notLeader/)
  })
})
