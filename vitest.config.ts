/**
 * Which tests there are, how many files of a kind run at once, and how long a test may take. Tests inside this process run
 * on all cores. Tests that start real clusters have a run of their own (scripts/nodeTests.ts), or come after the others in
 * the same run. Tests that need more than this machine permits are left out by name.
 */
import { spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { availableParallelism, tmpdir } from "node:os"
import { join } from "node:path"
import { configDefaults, defineConfig } from "vitest/config"
import { BaseSequencer, type TestSpecification } from "vitest/node"

/** A disk of its own takes the right to mount one; elsewhere files that refuse stand for it (diskSpace.test.ts). */
const needsMount = "test/processes/storage.test.ts"

const mayMount = (): boolean => {
  const path = mkdtempSync(join(tmpdir(), "lithair-mount-"))
  const isMounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", path]).status === 0
  if (isMounted) spawnSync("umount", ["-l", path])
  rmSync(path, { recursive: true })
  return isMounted
}

/** A real browser shows the pages of examples/live and examples/ticketing. */
const needsChromium = ["test/processes/live.test.ts", "test/processes/signIn.test.ts"]
const hasChromium = (): boolean => spawnSync("chromium", ["--version"]).status === 0

/** Rows in a database of another server. */
const needsPostgres = "test/processes/sql.test.ts"
/** Debian keeps it out of the path (test/support/Postgres.ts). */
const hasPostgres = (): boolean =>
  existsSync("/usr/lib/postgresql") || spawnSync("postgres", ["--version"]).status === 0
/** Messages in a stream of another server. */
const needsNats = "test/processes/relay.test.ts"
const hasNats = (): boolean => spawnSync("nats-server", ["--version"]).status === 0

const withoutMount = mayMount() ? [] : [needsMount]
const withoutChromium = hasChromium() ? [] : needsChromium
const withoutPostgres = hasPostgres() ? [] : [needsPostgres]
const withoutNats = hasNats() ? [] : [needsNats]
/** Node alone collects garbage on demand, and lets a test watch the sockets of its server. */
const needsNode = "test/attacks/slow.test.ts"
const isNode = !("Bun" in globalThis) && !("Deno" in globalThis)

const leftOut = [
  ...withoutMount,
  ...withoutChromium,
  ...withoutPostgres,
  ...withoutNats,
  ...(isNode ? [] : [needsNode])
]
if (withoutMount.length > 0) console.log(`Left out, since no disk may be mounted here: ${needsMount}`)
if (withoutChromium.length > 0) console.log(`Left out, since there is no Chromium here: ${needsChromium.join(", ")}`)
if (withoutNats.length > 0) console.log(`Left out, since there is no NATS server here: ${needsNats}`)
if (withoutPostgres.length > 0) console.log(`Left out, since there is no PostgreSQL here: ${needsPostgres}`)

/** A project of its own, which finds no `lithair` here: test/package installs the package into a copy of it. */
const starter = "examples/starter/**"

/** Portable tests that take longer than two seconds or so. `npm run test:fast` runs all others. */
const slow = [
  "test/Access/sight.test.ts",
  "test/Backup/every.test.ts",
  "test/Backup/restore.test.ts",
  "test/Backup/stores.test.ts",
  "test/Backup/takeArchive.test.ts",
  "test/Machine/manyKeys.test.ts",
  "test/Changes/changes.test.ts",
  "test/Changes/stream.test.ts",
  "test/Client/following.test.ts",
  "test/Client/sending.test.ts",
  "test/Cluster/forming.test.ts",
  "test/Cluster/keys.test.ts",
  "test/Cluster/member.test.ts",
  "test/EffectCluster/entities.test.ts",
  "test/EventStore/crash.test.ts",
  "test/EventStore/history.test.ts",
  "test/EventStore/logWalk.test.ts",
  "test/EventStore/nextSegment.test.ts",
  "test/Cluster/liftingCrash.test.ts",
  "test/EventStore/recovery.test.ts",
  "test/EventStore/repair.test.ts",
  "test/EventStore/simulatedLives.test.ts",
  "test/Http/fuzz.test.ts",
  "test/Lithair/questions.test.ts",
  "test/Lithair/traces.test.ts",
  "test/Live/engine.test.ts",
  "test/Projection/sqlite.test.ts",
  "test/Raft/node/diskSpace.test.ts",
  "test/Raft/node/raftNode.test.ts",
  "test/Raft/node/snapshotCluster.test.ts",
  "test/Repository/commands.test.ts",
  "test/Repository/historyOfCluster.test.ts",
  "test/Repository/recordHistory.test.ts",
  "test/Testing/eraseRun.test.ts",
  "test/Testing/followRun.test.ts",
  "test/Testing/simulator.test.ts",
  "test/Testing/testClusterHarm.test.ts",
  "test/attacks/slow.test.ts"
]

const tidy = "test/tidy.test.ts"
const mutation = "test/mutation/**/*.test.ts"
/** They start processes of their own, and mostly wait for them: several files at a time keep the cores busy. */
const processes = ["test/processes/**/*.test.ts", "test/package/**/*.test.ts"]

/** They hold real clusters to a time: two files at a time, and in the gate one. */
const timed = [
  "test/processes/cluster.test.ts",
  "test/processes/compositionEnds.test.ts",
  "test/processes/draining.test.ts",
  "test/processes/edges.test.ts",
  "test/processes/liveness.test.ts",
  "test/processes/raw.test.ts",
  "test/processes/rolling.test.ts",
  "test/processes/rotation.test.ts"
]

/** They keep all cores busy themselves, so nothing else would have time beside them. */
const alone = ["test/processes/overload.test.ts"]

const gone = [...slow, ...timed, ...alone].filter((file) => !existsSync(file))
if (gone.length > 0) throw new Error(`vitest.config.ts names tests that are not there: ${gone.join(", ")}`)

/** Made by test/mutation/compiled.ts. */
const compiled = join(tmpdir(), `lithair-compiled-${process.pid}`)

/** Made by test/processes/bundled.ts. */
const bundles = join(tmpdir(), `lithair-bundled-${process.pid}`)

const exclude = [...configDefaults.exclude, ...leftOut]

/**
 * The runtime itself loads the sources, a fifth faster to run than what Vite makes of them. The files of a worker share
 * their modules: it loads Effect once, and not for each file.
 */
const loading = { isolate: false, experimental: { viteModuleRunner: false } }

/**
 * Of one test, unless it names its own time. On two quiet cores the longest of them take some 15 s, and four times as long
 * where other programs keep the cores busy: a test that hangs is to fail, not one on a slow machine.
 */
const testTimeout = 60_000

/** One test may try all mutants of a file. The longest took 20 s on two quiet cores, and 106 s on very busy ones. */
const mutationTimeout = 300_000

/** Half of the time of a test that is not pure is a wait: so half as many again as there are cores keep them busy. */
const insideWorkers = Math.ceil(1.5 * availableParallelism())

const inside = { testTimeout, exclude, maxWorkers: insideWorkers, sequence: { groupOrder: 0 } }

/** Their files share what they load, and the bundles of their programs. */
const ofProcesses = {
  ...inside,
  ...loading,
  globalSetup: "test/processes/bundled.ts",
  env: { LITHAIR_BUNDLES: join(bundles, "bundles"), NODE_COMPILE_CACHE: join(bundles, "compiled") }
}

/** These begin: a long file that came last would run alone, and the other cores would be idle. */
const longest = [
  "test/Testing/simulator.test.ts",
  "test/mutation/plantedFaults.test.ts",
  "test/mutation/sight.test.ts",
  "test/mutation/brokenFiles.test.ts",
  "test/mutation/consensusRows.test.ts",
  "test/Backup/every.test.ts",
  "test/Cluster/member.test.ts",
  "test/package/tarball.test.ts",
  "test/processes/raw.test.ts",
  "test/processes/http.test.ts",
  "test/processes/backup.test.ts",
  "test/processes/composition.test.ts",
  "test/processes/catchup.test.ts",
  "test/processes/changes.test.ts",
  "test/processes/repair.test.ts",
  "test/processes/operators.test.ts",
  "test/processes/projections.test.ts",
  "test/processes/ticketing.test.ts",
  "test/processes/keys.test.ts"
]

class LongestFirst extends BaseSequencer {
  override async sort(files: Array<TestSpecification>): Promise<Array<TestSpecification>> {
    const sorted = await super.sort(files)
    const first = longest.flatMap((name) => sorted.filter(({ moduleId }) => moduleId.endsWith(name)))
    return [...first, ...sorted.filter((file) => !first.includes(file))]
  }
}

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          ...inside,
          name: "fast",
          include: ["test/**/*.test.ts", "examples/**/*.test.ts"],
          exclude: [...exclude, starter, ...slow, tidy, mutation, ...processes],
          ...loading
        }
      },
      { test: { ...inside, name: "slow", include: slow, ...loading } },
      { test: { ...inside, name: "tidy", include: [tidy], ...loading } },
      // Each test waits for a process of its own: as many at once as there are cores.
      {
        test: {
          ...inside,
          name: "mutation",
          include: [mutation],
          globalSetup: "test/mutation/compiled.ts",
          env: { LITHAIR_COMPILED: compiled },
          testTimeout: mutationTimeout,
          maxConcurrency: availableParallelism(),
          ...loading
        }
      },
      {
        test: {
          ...ofProcesses,
          name: "processes",
          include: processes,
          exclude: [...exclude, ...timed, ...alone],
          maxWorkers: 2 * availableParallelism(),
          sequence: { groupOrder: 1 }
        }
      },
      { test: { ...ofProcesses, name: "timed", include: timed, maxWorkers: 2, sequence: { groupOrder: 2 } } },
      { test: { ...ofProcesses, name: "alone", include: alone, maxWorkers: 1, sequence: { groupOrder: 3 } } }
    ]
  }
})
