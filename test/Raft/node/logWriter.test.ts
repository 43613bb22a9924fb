import { assert, describe, it } from "@effect/vitest"
import type { SequencedWrite } from "../../../src/Raft/core/Output.ts"
import { inBatches } from "../../../src/Raft/node/LogWriter.ts"

const write = (seq: number, payloadBytes: number): SequencedWrite => ({
  seq,
  entries: [{ index: seq, term: 1, type: "transaction", payload: new Uint8Array(payloadBytes) }]
})

describe("Writing", () => {
  it("writes that wait go to the log in order, in few batches, none of which keeps the thread for long", () => {
    const mebibyte = 1024 * 1024
    const writes = [1, 3, 1, 9, 1, 1].map((mebibytes, at) => write(at + 1, mebibytes * mebibyte))
    const seqs = inBatches(writes).map((batch) => batch.map(({ seq }) => seq))
    assert.deepStrictEqual(seqs, [[1, 2], [3], [4], [5, 6]])
    assert.deepStrictEqual(inBatches([write(1, 0), write(2, 0)]).length, 1)
  })
})
