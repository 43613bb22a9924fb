/** A line of a comparison: what it measures, of which systems. */
import { orTell, withClusters } from "../Measure.ts"
import type { Options } from "../Options.ts"
import type { LoadClient } from "../Processes.ts"
import type { Sample } from "../Sample.ts"
import type { Cluster, System } from "../Systems.ts"

export interface Context {
  /** The line's own name, which its samples carry. */
  readonly name: string
  readonly systems: ReadonlyArray<System>
  readonly options: Options
}

export interface Line {
  readonly title: string
  readonly run: (context: Context) => Promise<ReadonlyArray<Sample>>
}

/** What one measurement of a cluster found. */
export type Found = Omit<Sample, "line" | "run" | "system">

/** A line that measures each cluster alone, a new one for each run and system. */
export const alone = (
  title: string,
  measureCluster: (cluster: Cluster, client: LoadClient, options: Options) => Promise<ReadonlyArray<Found>>,
  more: ReadonlyArray<System> = []
): Line => ({
  title,
  run: async ({ name, options, systems }) => {
    const samples: Array<Sample> = []
    const clusters = [...systems, ...more].filter(({ nodesCount }) => nodesCount > 1)
    for (let run = 1; run <= options.runs; run++) {
      for (const system of inOrder(clusters, run)) {
        console.error(`${name}: ${system.name}, run ${run} of ${options.runs}`)
        await orTell(`${name}: ${system.name}, run ${run}`, async () => {
          const found = await withClusters([system], async ([cluster], client) =>
            cluster === undefined ? [] : measureCluster(cluster, client, options)
          )
          samples.push(...found.map((each) => ({ ...each, line: name, run, system: system.name })))
        })
      }
    }
    return samples
  }
})

/** Every run takes the systems in the opposite order of the one before. */
export const inOrder = <A>(systems: ReadonlyArray<A>, run: number): ReadonlyArray<A> =>
  run % 2 === 0 ? systems.toReversed() : systems

export const wait = (ms: number): Promise<void> => new Promise((resume) => setTimeout(resume, ms))

/** All processes of a cluster. */
export const pidsOf = ({ followers, leader }: Cluster): ReadonlyArray<number> =>
  [leader, ...followers].map(({ pid }) => pid)
