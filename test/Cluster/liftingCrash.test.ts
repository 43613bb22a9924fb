/**
 * A kill, or a loss of power, within every call of a node that makes a new version of a model active and lifts its
 * records, on a simulated disk: with the snapshots and the compaction that follow. The next start has every record that was
 * acknowledged, each lifted once and for good, though the lift is no function, and ends the work. docs/evolution.md.
 */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Logger, Schema } from "effect"
import * as Member from "../../src/Cluster/Member.ts"
import { layer as layerMember } from "../../src/Cluster/makeMember.ts"
import { derivedIn } from "../../src/EventStore/DerivedFiles.ts"
import { Directory, FILE, type NodeIdentity, readIdentity, writeIdentity } from "../../src/EventStore/Directory.ts"
import { layerFile as layerLog } from "../../src/EventStore/FileLog.ts"
import { FileSystem } from "../../src/EventStore/FileSystem.ts"
import { listDirectory, makeDirectory } from "../../src/EventStore/Files.ts"
import { layerFile as layerHistory } from "../../src/EventStore/HistoryFiles.ts"
import * as KeptLog from "../../src/EventStore/KeptLog.ts"
import { beginLife } from "../../src/EventStore/Life.ts"
import { layerFile as layerSnapshots } from "../../src/EventStore/Snapshots.ts"
import { beginStart } from "../../src/EventStore/Starts.ts"
import * as VotedLog from "../../src/EventStore/VotedLog.ts"
import { storedVersions } from "../../src/Machine/Rows.ts"
import * as StateContent from "../../src/Machine/StateContent.ts"
import * as StateHash from "../../src/Machine/StateHash.ts"
import type { Row } from "../../src/Machine/Table.ts"
import * as Tables from "../../src/Machine/Tables.ts"
import * as Model from "../../src/Model.ts"
import { layerMemory, makeMemoryNetwork } from "../../src/Raft/peers/MemoryNetwork.ts"
import * as Disk from "../../src/Testing/SimulatedDisk.ts"
import * as Files from "../../src/Testing/SimulatedFiles.ts"
import * as Random from "../../src/Testing/simulator/Random.ts"
import { type Running, until } from "../Raft/core/Members.ts"

const id = Model.id(Schema.String)
class Former extends Model.Class<Former>("Item")({ id, name: Model.replicate(Schema.String) }) {}

/** A step that is no function: what a record once was lifted to must not change any more. */
let drawn = 0
class Present extends Model.Class<Present>("Item")(
  { id, title: Model.replicate(Schema.String), number: Schema.Int },
  {
    version: 2,
    lift: Model.from(1, { id: Schema.String, name: Schema.String })
      .rename("name", "title")
      .map((record) => ({ ...record, number: ++drawn }))
      .to(2)
  }
) {}

const root = "/data"
const recordsCount = 20
const segmentSizeBytes = 8192
/** A snapshot, and the compaction after it, come in the middle of the work. */
const config = { snapshotAfterBytes: 2_000, logRetainedCount: 5 }

/** The data directory of one node on a simulated disk, which nobody else can open: it takes no lock. */
const layerDirectory = Layer.effect(
  Directory,
  Effect.gen(function* () {
    yield* makeDirectory(root)
    const names = yield* listDirectory(root)
    const isNew = !names.includes(FILE)
    const minted: NodeIdentity = { formatVersion: 1, clusterId: null, nodeId: "a", instanceId: "a" }
    let identity = isNew ? minted : yield* readIdentity(root)
    if (isNew) yield* writeIdentity(root, identity)
    const life = yield* beginLife(root, names)
    const starts = yield* beginStart(root, life)
    return Directory.of({
      identity: Effect.sync(() => identity),
      life,
      starts,
      isNew,
      setClusterId: (clusterId) =>
        Effect.suspend(() => {
          identity = { ...identity, clusterId }
          return writeIdentity(root, identity)
        }),
      log: (name, { repairable, ...options } = {}) =>
        KeptLog.layer(
          name === "log"
            ? VotedLog.layerFile({
                directory: root,
                segmentSizeBytes,
                ...options,
                ...(repairable === undefined ? {} : { repairable })
              })
            : layerLog({ directory: `${root}/${name}`, segmentSizeBytes, ...options }),
          layerHistory({ directory: `${root}/${name}-history` })
        ),
      snapshots: layerSnapshots({ directory: `${root}/snapshots` }),
      localSnapshots: layerSnapshots({ directory: `${root}/local-snapshots` }),
      derived: derivedIn(`${root}/derived`),
      usage: Effect.succeed(undefined),
      watch: Effect.never
    })
  })
)

const self = { nodeId: "a", address: "a", instanceId: "a", peers: [] }

/** One process on the disk: a member that leads, and the work with it, until that ends or the process is killed. */
const life = <A, E>(
  disk: Disk.SimulatedDisk,
  models: ReadonlyArray<Model.Descriptor>,
  work: (member: Running) => Effect.Effect<A, E>,
  options: Files.ProcessOptions & { readonly onStart?: (process: Files.SimulatedProcess) => void } = {}
) => {
  const process = Files.start(disk, options)
  options.onStart?.(process)
  const member = layerMember({ self, models, config }).pipe(
    Layer.provide(layerMemory({ network: makeMemoryNetwork(), self })),
    Layer.provide(layerDirectory)
  )
  const done = Effect.gen(function* () {
    const running = Context.get(yield* Layer.build(member), Member.Member)
    const led = until("it leads", () => running.leader() !== undefined)
    return yield* Effect.raceFirst(Effect.andThen(led, work(running)), running.stopped)
  }).pipe(Effect.scoped, Effect.provideService(FileSystem, process.system))
  // A killed process answers nobody, and its tasks wait for ever.
  const killed = Effect.andThen(
    Effect.andThen(Effect.repeat(Effect.sleep(2), { until: () => process.isKilled() }), Effect.sleep(20)),
    Effect.fail("killed" as const)
  )
  return Effect.map(Effect.exit(Effect.raceFirst(done, killed)), (exit) => ({ exit, process }))
}

const former = [Model.describe(Former)]
const present = [Model.describe(Present)]

const rowsOf = ({ tables }: Running): ReadonlyMap<string, Row> => new Map(tables.byModel.get("Item")!.rows.entries())

/** A disk with records of the former version, and what it holds. */
const prepared = Effect.gen(function* () {
  const disk = Disk.make(Random.make(1))
  const { exit } = yield* life(disk, former, (member) =>
    Effect.gen(function* () {
      for (let at = 0; at < recordsCount; at++) {
        yield* member.submit({ _tag: "Create", model: "Item", id: `r${at}`, data: { name: `name ${at}` } })
      }
      return rowsOf(member)
    })
  )
  return { disk, before: yield* exit }
})

/** Another disk that holds the same, and whose choices are those of the seed. */
const copyOf = (disk: Disk.SimulatedDisk, seed: number): Disk.SimulatedDisk => ({
  ...disk,
  root: structuredClone(disk.root),
  random: Random.make(seed)
})

/** What a process has seen and was told until it ended. */
interface Seen {
  /** Records as they were lifted: applied, and so committed and durable. */
  lifted: ReadonlyMap<string, Row>
  /** The version that the change of a record was acknowledged with. */
  changed: number | undefined
}

const unseen = (): Seen => ({ lifted: new Map(), changed: undefined })

/** All is lifted, and a snapshot stands for that. A record changes meanwhile. */
const lifting = (seen: Seen) => (member: Running) =>
  Effect.gen(function* () {
    const table = () => member.tables.byModel.get("Item")!
    const note = () => {
      seen.lifted = new Map([...table().rows.entries()].filter(([, { modelVersion }]) => modelVersion === 2))
    }
    const noting = yield* Effect.forkChild(Effect.forever(Effect.andThen(Effect.sync(note), Effect.sleep(1))))
    yield* until("the version is active", () => table().modelVersion === 2)
    const { result } = yield* member.submit({ _tag: "Patch", model: "Item", id: "r0", data: { title: "changed" } })
    assert.strictEqual(result._tag, "Accepted")
    if (result._tag === "Accepted") seen.changed = result.answer.operations[0]!.version
    yield* until("all records are lifted", () => storedVersions(table()).get(2) === recordsCount)
    const liftedIndex = member.tables.index
    const isCompacted = () => (member.node()?.core.log.firstIndex ?? 0) > liftedIndex
    for (let at = 0; at < 100 && !isCompacted(); at++) {
      const data = { title: "t".repeat(400), number: 0 }
      yield* member.submit({ _tag: "Put", model: "Item", id: "more", data })
      yield* member.submit({ _tag: "Delete", model: "Item", id: "more" })
      yield* Effect.sleep(5)
    }
    assert.isTrue(isCompacted(), "the log goes on behind it")
    note()
    yield* Effect.sync(() => noting.interruptUnsafe())
  })

/** The next start, on what is left. */
const check = (before: ReadonlyMap<string, Row>, seen: Seen) => (member: Running) =>
  Effect.gen(function* () {
    const table = () => member.tables.byModel.get("Item")!
    yield* until("all records are lifted", () => (storedVersions(table()).get(1) ?? 0) === 0)
    const rows = rowsOf(member)
    for (const [key, { createdIndex, data, index, version }] of before) {
      const row = rows.get(key)
      assert.isDefined(row, `${key} is there`)
      assert.strictEqual(row!.modelVersion, 2)
      assert.strictEqual(row!.createdIndex, createdIndex)
      const isChanged = row!.version > version
      assert.isTrue(!isChanged || key === "r0", `${key} has not changed`)
      if (!isChanged) assert.deepStrictEqual([row!.index, row!.data.title], [index, data.name])
      const lifted = seen.lifted.get(key)
      if (lifted !== undefined && lifted.version === row!.version) assert.deepStrictEqual(row!.data, lifted.data)
    }
    if (seen.changed !== undefined) assert.deepInclude(rows.get("r0"), { version: seen.changed })
    assert.strictEqual(StateHash.toHex(StateContent.hashOf(member.tables)), Tables.stateHash(member.tables))
  })

/** The numbers of the calls that change or sync something, of a run without a crash; reads need no crash of their own. */
const changingCalls = Effect.fnUntraced(function* (disk: Disk.SimulatedDisk) {
  const calls: Array<number> = []
  const process: { current?: Files.SimulatedProcess } = {}
  const { exit } = yield* life(disk, present, lifting(unseen()), {
    onStart: (started) => {
      process.current = started
    },
    faultOf: (call) => {
      if (call !== "read") calls.push(process.current?.callsCount() ?? 0)
      return undefined
    }
  })
  assert.isTrue(Exit.isSuccess(exit), String(exit))
  return calls
})

describe("lifting", () => {
  it.live(
    "is ended by the next start after a kill, or a loss of power, within any call that changes or syncs a file",
    () =>
      Effect.gen(function* () {
        const { before, disk: first } = yield* prepared
        const calls = yield* changingCalls(copyOf(first, 1))
        assert.isAbove(calls.length, 60)
        let killedCount = 0
        const crash = Effect.fnUntraced(function* (killedAtCall: number, isPowerLost: boolean) {
          const disk = copyOf(first, killedAtCall)
          const seen = unseen()
          const { exit, process } = yield* life(disk, present, lifting(seen), { killedAtCall })
          // Some calls come by time, so a run may have fewer of them.
          assert.isTrue(process.isKilled() || Exit.isSuccess(exit), `call ${killedAtCall}: ${exit}`)
          if (process.isKilled()) killedCount += 1
          if (isPowerLost) Disk.losePower(disk)
          const { exit: checked } = yield* life(disk, present, check(before, seen))
          assert.isTrue(Exit.isSuccess(checked), `call ${killedAtCall}, power lost: ${isPowerLost}: ${checked}`)
        })
        // Each second one is a loss of power: both at each call would take twice as long.
        const crashes = calls.map((call, at) => crash(call, at % 2 === 0))
        yield* Effect.forEach(crashes, (each) => each, { concurrency: 12, discard: true })
        assert.isAbove(killedCount, crashes.length / 2)
      }).pipe(Effect.provide(Logger.layer([]))),
    180_000
  )
})
