/** Random walks over the log in files, each from its seed: it is what its contract says, also when it is opened again. */
import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { layerFile } from "../../src/EventStore/FileLog.ts"
import type { HardState, LogEntry, LogWrite } from "../../src/EventStore/LogEntry.ts"
import { LogSpace } from "../../src/EventStore/LogSpace.ts"
import { LogStore } from "../../src/EventStore/LogStore.ts"
import { seeded } from "../Machine/Seeded.ts"
import { entry, plain, readLeft } from "./logStoreContract.ts"

const write = (write: LogWrite) => Effect.flatMap(LogStore, (log) => log.append([write]))
const compact = (throughIndex: number) => Effect.flatMap(LogSpace, (space) => space.compact({ throughIndex }))
const recovered = Effect.map(LogStore, (log) => log.recovered)

describe("any sequence of writes, snapshots, compactions and starts", { timeout: 60_000 }, () => {
  /** What a log is by its contract alone. */
  interface Model {
    hardState: HardState
    snapshot: { readonly index: number; readonly term: number } | undefined
    /** What stands before the first entry. */
    previous: { readonly index: number; readonly term: number }
    entries: Array<LogEntry>
    term: number
  }

  const lastIndexOf = (model: Model) => model.previous.index + model.entries.length
  const termAt = (model: Model, index: number) =>
    index === model.previous.index ? model.previous.term : model.entries[index - model.previous.index - 1]?.term

  /** Compaction keeps whole segments: the model forgets what the log says that it has forgotten. */
  const forget = (model: Model, firstIndex: number) => {
    const count = firstIndex - 1 - model.previous.index
    assert.isAtLeast(count, 0)
    if (count > 0) model.previous = { index: firstIndex - 1, term: termAt(model, firstIndex - 1)! }
    model.entries.splice(0, count)
  }

  const runsOf = (model: Model) =>
    model.entries
      .filter((one, at) => one.term !== model.entries[at - 1]?.term)
      .map(({ index, term }) => ({ fromIndex: index, term }))

  const check = (model: Model) =>
    Effect.gen(function* () {
      assert.deepStrictEqual(plain(yield* readLeft), plain(model.entries))
      assert.strictEqual((yield* LogSpace).firstIndex(), model.previous.index + 1)
    })

  const step = (model: Model, random: ReturnType<typeof seeded>) =>
    Effect.gen(function* () {
      const lastIndex = lastIndexOf(model)
      const lowest = Math.max(model.previous.index, model.snapshot?.index ?? 0)
      switch (random.below(8)) {
        case 0: {
          if (lastIndex === lowest) return
          const fromIndex = lowest + 1 + random.below(lastIndex - lowest)
          const truncated = model.previous.index === 0 || fromIndex > lowest
          if (!truncated) return
          model.term++
          model.hardState = { currentTerm: model.term, votedFor: random.pick([undefined, "a"]) }
          model.entries.length = fromIndex - model.previous.index - 1
          yield* write({ truncateFromIndex: fromIndex, hardState: model.hardState, entries: [] })
          return
        }
        case 1: {
          if (lastIndex === lowest) return
          const index = lowest + 1 + random.below(lastIndex - lowest)
          model.snapshot = { index, term: termAt(model, index)! }
          yield* write({ snapshot: model.snapshot, entries: [] })
          return
        }
        case 2: {
          const firstIndex = yield* compact(random.below((model.snapshot?.index ?? 0) + 1))
          assert.isAtMost(firstIndex - 1, model.snapshot?.index ?? 0)
          forget(model, firstIndex)
          return
        }
        case 3: {
          if (random.below(6) > 0) return
          const index = lastIndex + random.below(50) + 1
          model.term++
          model.snapshot = { index, term: model.term }
          model.previous = model.snapshot
          model.entries = []
          yield* write({ snapshot: model.snapshot, entries: [] })
          return
        }
        default: {
          const added = Array.from({ length: random.below(20) }, (_, at) =>
            entry(lastIndex + 1 + at, model.term, "x".repeat(random.below(random.pick([10, 10, 1000]))))
          )
          model.entries.push(...added)
          yield* write({ entries: added })
        }
      }
    })

  it.live("keeps its contract, also when it is opened again", () =>
    Effect.gen(function* () {
      for (let seed = 0; seed < 25; seed++) {
        const random = seeded(seed)
        const log = layerFile({ directory: mkdtempSync(join(tmpdir(), "lithair-walk-")), segmentSizeBytes: 4096 })
        const model: Model = {
          hardState: { currentTerm: 0, votedFor: undefined },
          snapshot: undefined,
          previous: { index: 0, term: 0 },
          entries: [],
          term: 1
        }
        for (let start = 0; start < 6; start++) {
          const used = Effect.gen(function* () {
            const { previous, snapshot } = model
            assert.deepStrictEqual(yield* recovered, {
              hardState: model.hardState,
              firstIndex: previous.index + 1,
              lastIndex: lastIndexOf(model),
              ...(previous.index === 0 ? {} : { previousTerm: previous.term }),
              ...(snapshot === undefined ? {} : { snapshot }),
              termRuns: runsOf(model)
            })
            for (let count = 0; count < 25; count++) yield* step(model, random)
            yield* check(model)
          })
          yield* Effect.provide(used, log, { local: true }).pipe(
            Effect.tapCause(() => Effect.logError(`seed ${seed}, start ${start}`))
          )
        }
      }
    })
  )
})
