import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit } from "effect"
import type { LogWrite } from "../../../src/EventStore/LogEntry.ts"
import { LogFailed } from "../../../src/EventStore/LogStore.ts"
import type { SequencedWrite } from "../../../src/Raft/core/Output.ts"
import * as LogWriter from "../../../src/Raft/node/LogWriter.ts"

const write = (seq: number, payloadBytes: number): SequencedWrite => ({
  seq,
  entries: [{ index: seq, term: 1, type: "transaction", payload: new Uint8Array(payloadBytes) }]
})

/** A writer on a log that ends each batch when the test says so; `mayNow` says whether it takes batches at once. */
const start = () => {
  const log = {
    mayNow: true,
    batches: [] as Array<{ readonly seqs: ReadonlyArray<number>; readonly isNow: boolean }>,
    end: (_: Exit.Exit<void, LogFailed>): void => assert.fail("no batch is under way")
  }
  const told: Array<number | "failed"> = []
  const begin = (writes: ReadonlyArray<LogWrite>, isNow: boolean, done: typeof log.end) => {
    log.batches.push({ seqs: (writes as ReadonlyArray<SequencedWrite>).map(({ seq }) => seq), isNow })
    log.end = done
  }
  const writer = LogWriter.make({
    store: {
      append: (writes) => Effect.callback((resume) => begin(writes, false, resume)),
      appendNow: (writes, done) => {
        if (log.mayNow) begin(writes, true, done)
        return log.mayNow
      }
    },
    nowMs: () => 7,
    syncing: () => () => {},
    onPersisted: (seq) => told.push(seq),
    onFailed: (cause) => told.push(Cause.hasFails(cause) ? "failed" : assert.fail("no failure")),
    fork: (effect) => void Effect.runFork(effect)
  })
  return { log, told, writer }
}

describe("LogWriter", () => {
  it("writes that wait go to the log in order, in few batches, none of which keeps the thread for long", () => {
    const { log, told, writer } = start()
    const mebibyte = 1024 * 1024
    for (const [at, mebibytes] of [1, 3, 1, 9, 1, 1].entries()) writer.add(write(at + 1, mebibytes * mebibyte))
    writer.flush()
    for (let batch = 0; batch < 4; batch++) log.end(Exit.void)
    assert.deepStrictEqual(
      log.batches.map(({ seqs }) => seqs),
      [[1, 2], [3], [4], [5, 6]]
    )
    assert.deepStrictEqual(told, [2, 3, 4, 6])
    assert.strictEqual(writer.beganMs(), undefined)
  })

  it("one batch is under way at a time, with an Effect where the log cannot begin at once, and the next takes all", () => {
    const { log, told, writer } = start()
    writer.add(write(1, 0))
    writer.flush()
    assert.strictEqual(writer.beganMs(), 7)
    for (const seq of [2, 3]) {
      writer.add(write(seq, 0))
      writer.flush()
    }
    log.mayNow = false
    log.end(Exit.void)
    assert.deepStrictEqual(log.batches, [
      { seqs: [1], isNow: true },
      { seqs: [2, 3], isNow: false }
    ])
    assert.deepStrictEqual(told, [1])
    log.end(Exit.void)
    assert.deepStrictEqual(told, [1, 3])
  })

  it("after a failure, of either way, nothing more is written (D9)", () => {
    for (const mayNow of [true, false]) {
      const { log, told, writer } = start()
      log.mayNow = mayNow
      writer.add(write(1, 0))
      writer.flush()
      writer.add(write(2, 0))
      log.end(Exit.fail(new LogFailed({ message: "the disk failed" })))
      writer.flush()
      assert.deepStrictEqual([log.batches.length, told], [1, ["failed"]])
    }
  })

  it("a defect behind a batch, of either way, is told, and nothing more is written", () => {
    for (const mayNow of [true, false]) {
      const defect = new Error("a broken invariant")
      const causes: Array<Cause.Cause<LogFailed>> = []
      const state = { batchesCount: 0, end: (_: Exit.Exit<void, LogFailed>): void => {} }
      const writer = LogWriter.make({
        store: {
          append: () =>
            Effect.callback((resume) => {
              state.batchesCount += 1
              state.end = resume
            }),
          appendNow: (_, done) => {
            if (state.batchesCount > 0) throw defect
            if (mayNow) {
              state.batchesCount += 1
              state.end = done
            }
            return mayNow
          }
        },
        nowMs: () => 7,
        syncing: () => () => {},
        onPersisted: () => {},
        onFailed: (cause) => causes.push(cause),
        fork: (effect) => void Effect.runFork(effect)
      })
      writer.add(write(1, 0))
      writer.flush()
      writer.add(write(2, 0))
      state.end(Exit.void)
      writer.add(write(3, 0))
      writer.flush()
      assert.deepStrictEqual([causes, state.batchesCount, writer.beganMs()], [[Cause.die(defect)], 1, undefined])
    }
  })

  it("a writer that has ended still says what becomes of its last batch, and begins no other", () => {
    const { log, told, writer } = start()
    writer.add(write(1, 0))
    writer.flush()
    writer.add(write(2, 0))
    writer.end()
    log.end(Exit.void)
    writer.flush()
    assert.deepStrictEqual([log.batches.length, told], [1, [1]])
  })
})
